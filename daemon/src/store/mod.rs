//! What is kept, in SQLite. All SQL lives below this module and nowhere else.
//!
//! One method is one use case is one transaction. A single thread owns the connection; use cases
//! that wait together share one commit, each in a savepoint of its own, and no reply leaves before
//! the commit is done.

mod address;
mod answer;
mod begin;
mod carry;
mod doctor;
mod email;
mod enrollment;
mod factors;
mod files;
mod finish;
mod grace;
mod import;
mod instance;
mod invitation;
mod kept;
mod known_source;
mod log;
mod notice;
mod overrides;
mod pending;
mod people;
mod proof;
mod recovery;
mod replay;
mod reset;
mod rollback;
mod schema;
mod sessions;
mod tally;
mod worker;

pub use address::{Asked, NewAddress, Typed};
pub use answer::{AnswerRow, Answered, Evidence, Judged, OpenLogin, SealedTotp, StoredScratch};
pub use begin::{BeginFacts, LoginRow, Opened, Phase};
pub use carry::PENDING;
pub use email::MailTo;
pub use enrollment::{Begun, NewAuthenticator, NewCodes, PendingEnrollment, Right};
pub use factors::{Owner, Resynced};
pub use files::{Layout, read_key};
pub use finish::{ConfirmRow, Confirmed};
pub use grace::Arrival;
pub use import::{ImportRow, Imported};
pub use kept::{read_own, replace_own};
pub use notice::{Kind as NoticeKind, Noted, Untold};
pub use pending::{NewPending, Pending, Proven};
pub use people::View;
pub use proof::Proof;
pub use replay::Newcomers;
pub use reset::{Actor, Whom};
pub use schema::init;
pub use worker::{Closed, Store};
