//! PAM stacks as libpam reads them: which lines a service really has, and what can happen in them.
//!
//! [`Stacks::read`] reads one service below a root folder, through `@include`, `include` and `substack`, to
//! the effective [`Stack`] of each phase. [`Stack::run`] goes through a stack with given answers, the way
//! libpam's dispatch does; [`Stack::explore`] goes through it with every answer that a module can give.
//! Nothing here asks the system anything but for the files themselves.
//!
//! ```text
//! files.rs -> text.rs -> control.rs -> resolve.rs -> walk.rs -> explore.rs
//! a file      lines      one control   one service   one path   every path
//! ```

mod code;
mod control;
mod explore;
mod files;
mod modules;
mod resolve;
mod text;
mod walk;

pub use code::Code;
pub use control::{Action, Control};
pub use explore::{Explored, OURS, Step, Way};
pub use files::{Folders, Place, open_file};
pub use modules::{Assume, is_first_factor};
pub use resolve::{Entry, Fault, Kind, Phase, Problem, Stack, Stacks};
pub use walk::Run;
