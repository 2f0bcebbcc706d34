//! What is kept, in SQLite. All SQL lives below this module and nowhere else.
//!
//! One method is one use case is one transaction. A single thread owns the connection; use cases
//! that wait together share one commit, each in a savepoint of its own, and no reply leaves before
//! the commit is done.

mod act;
mod address;
#[cfg(test)]
mod adversary;
mod answer;
mod backup;
mod begin;
mod carry;
mod census;
mod chain;
mod doctor;
mod email;
mod ends;
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
mod letters;
mod log;
mod notice;
mod overrides;
mod pending;
mod people;
mod place;
mod proof;
mod prune;
mod recovery;
mod rekey;
mod replay;
mod reset;
mod restore;
mod retention;
mod revoke;
mod rollback;
mod schema;
mod sessions;
mod staged;
mod tally;
mod transfer;
mod turns;
mod under_way;
mod verify;
mod worker;

pub use act::WhichActs;
pub use address::{Asked, NewAddress, Typed};
pub use answer::{AnswerRow, Answered, Evidence, Judged, OpenLogin, SealedTotp, StoredScratch};
pub use backup::schema_version;
pub use begin::{BeginFacts, LoginRow, Opened, Phase};
pub use carry::PENDING;
pub use email::MailTo;
pub use enrollment::{Begun, NewAuthenticator, NewCodes, PendingEnrollment, Right};
pub use factors::{Owner, Resynced};
pub(crate) use files::key_from;
pub use files::{KeyFile, Layout, read_key, read_key_file};
pub use finish::{ConfirmRow, Confirmed};
pub use grace::Arrival;
pub use import::{ImportRow, Imported};
pub use kept::{read_own, replace_own};
pub use letters::{Fresh, NewLetter, Placed, Queue, Taken, Told, Waiting};
pub use log::{Position, Whence, Which};
pub use notice::{Kind as NoticeKind, Noted, Untold};
pub use pending::{NewPending, Pending, Proven};
pub use people::View;
pub use place::{accept_older, clear_staging, open_staging, restore as restore_offline};
pub use proof::Proof;
pub use rekey::Unsealed;
pub use replay::Newcomers;
pub use reset::{Actor, Whom};
pub use restore::Bring;
pub use schema::init;
pub use staged::{Copied, Kept, KeptApp, KeptCode, KeptSet, Staged};
pub use transfer::{Came, Incoming, TakeIn};
pub use worker::{Closed, Store};
