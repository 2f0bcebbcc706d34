//! `org.countersign1.Manager`: administration.
//!
//! ```text
//! HostStatus()                                   -> (ssstx)      version, config, policy hash, people enrolled, seconds
//!                                                                the clock is behind the latest date seen
//! Status(s user)                                 -> person
//! Users(b from_first, u after_uid, u limit)       -> a person     by uid; call again with the last uid seen
//! Log((sxxassss) which, (xx) from, u limit)      -> (a login (xx)) newest first, and where to go on; (0, 0) is the newest,
//!                                                                and nowhere
//! FollowLog((sxxassss) which, x after, u limit)  -> (a login x)  as they finish, and where to go on; below 0 is the end
//! Acts((sxxas) which, x before, u limit)         -> (a act x)    newest first, and where to go on; 0 as for Log
//! VerifyLog((ux) from, s noted)                  -> verified     a page; noted is empty or a link such as 12:0a1b...
//! Metrics()                                      -> a sample
//! AcceptLog(s reason)                                            what VerifyLog finds broken now is accepted
//! NoteAct(s verb, s before, s after, s reason)                   what root's tool did to this host by itself
//! Enroll(s user, s name, s proof, s invitation)  -> (sssss)      enrollment, uri, secret, issuer, account
//! ConfirmEnrollment(s enrollment, ay code)       -> as           the recovery codes, shown this once
//! CancelEnrollment(s enrollment)
//! RenameFactor(s user, s name, s new_name, s proof)
//! RemoveFactor(s user, s name, s proof, s reason) -> u           authenticators left
//! Resync(s user, s name, ay first, ay second)    -> x            seconds that its clock is ahead
//! NewRecoveryCodes(s user, s proof)              -> as           shown this once
//! ViewRecoveryCodes(s user, s reason)            -> as           those unused
//! SetAddress(s user, s address, s proof, s invitation, s reason)
//!                                                -> s            where the code goes, masked
//! ConfirmAddress(s user, ay code)                -> s            the address that counts now, masked
//! RemoveAddress(s user, s proof, s reason)       -> s            the one that counted, masked; may be empty
//! Invite(s user, u minutes)                      -> (sx)         code, seconds it lives; 0 minutes is 10
//! Reset(s user, s reason, b alone)               -> u            factors removed
//! RequestReset(s user, s reason, s proof)        -> u            the request's number
//! ResetRequests()                                -> a request    oldest first
//! ApproveReset(u id)                             -> u            approvals missing; 0: done
//! RefuseReset(u id, s reason)
//! Lock(s user, s reason)
//! Unlock(s user, s reason)                       -> u            locks lifted
//! Forget(s user)                                 -> u            remembered sources forgotten
//! ExplainPolicy(s user, s service, s from, x at) -> explanation  at: seconds since 1970, 0 is now
//! Exempt(s user, x until, s reason)
//! Require(s user, x by, s reason)                                by 0 is at once
//! EndOverride(s user, s what, s reason)          -> u            what: exempt or require
//! Overrides()                                    -> a override   by name
//! AcceptClock()                                  -> x            seconds the dates went back by
//! ApplyPolicy(b accept_weaker, b dry_run, b now, a stray, s reason) -> applied   now: as if every policy said apply = "immediately"
//! ImportFactor(s user, (sayyuxxaay) factor, b add, b dry_run)
//!                                                -> (bu)         whether it is new, scratch codes taken over
//! PreviewEmail(s policy, s letter)               -> preview      letter: code or notice; no policy is the first that sends
//!                                                                codes
//! PolicyImpact(a(st) files, h contents, t seconds) -> impact     names and sizes; no file is the one on disk
//! Doctor()                                       -> a(sss)       facts: kind, subject, value
//! Backup(h file, ah key)                         -> (xxt)        taken, generation, bytes of the database
//! LastBackup()                                   -> x            seconds since 1970; 0 is never
//! Restore(h file, ah key, (bb) how, s reason)    -> restored     key: of the backup's day, if another
//! Rekey(h key)                                   -> (tt)         secrets sealed anew, enrollments that start over
//! ExportPeople(as users, h key, h file, s reason) -> u           people; nobody named is everybody
//! ImportPeople(h key, h file, (bbb) how, s reason) -> a(susus)   user, uid here, what became of it, new, why
//! ```
//!
//! A `proof` is the id of a login that the caller made on the bus for themselves, with the service
//! [`OWN_SERVICE`](crate::names::OWN_SERVICE), and that was allowed: it shows a factor they have. It is
//! good for a few minutes and once, and asked of people who act on themselves.

use serde::{Deserialize, Serialize};
use zbus::zvariant::Type;

/// One confirmed factor of a person. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Factor {
    /// `totp` or `recovery`.
    pub kind: String,
    /// The name the person gave it, or empty.
    pub name: String,
    /// When it was confirmed, in seconds since 1970.
    pub created: i64,
    /// When it last let somebody in, in seconds since 1970; 0 is never.
    pub last_used: i64,
    /// Recovery codes left; 0 for other kinds.
    pub left: u32,
}

/// One lock that now holds on a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Lock {
    /// The lane it closes: `console`, `known`, `other`, `recovery` or `all`.
    pub lane: String,
    /// Seconds until it opens by itself; -1 is until an administrator unlocks.
    pub seconds: i64,
}

/// A source that a login of a person was confirmed from, since this boot. Where the policy says
/// `remember`, they pass from it unasked for that long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Confirmed {
    /// The PAM service.
    pub service: String,
    /// The source, as failures are counted under it.
    pub source: String,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// Something that happened to the factors of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Notice {
    /// When, in seconds since 1970.
    pub at: i64,
    /// One word: `recovery-used`, `locked`, `code-reused`, `enrolled`, `reset` and others.
    pub kind: String,
    /// Who, where from or which: data, not a sentence.
    pub detail: String,
    /// When a login told them, in seconds since 1970; 0 is not yet.
    pub told: i64,
}

/// A backup that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Backup {
    /// When, in seconds since 1970.
    pub taken: i64,
    /// How far the database had come.
    pub generation: i64,
    /// Bytes of the database in it.
    pub bytes: u64,
}

/// How people of another host are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct HowToTakeIn {
    /// Beside what they have here.
    pub add: bool,
    /// In the place of what they have here.
    pub replace: bool,
    /// Only say what would come of it.
    pub dry_run: bool,
}

/// What became of one person of another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct CameIn {
    /// The login name.
    pub user: String,
    /// The uid here; 0 where nobody has that name.
    pub uid: u32,
    /// `new`, `present` or `refused`.
    pub what: String,
    /// Authenticators that are new here.
    pub new: u32,
    /// Why they are refused.
    pub why: String,
}

/// How a backup is brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct HowToRestore {
    /// Recovery codes unused in both stay good.
    pub keep_codes: bool,
    /// Only say what would come of it.
    pub dry_run: bool,
}

/// What a backup brings back, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Restored {
    /// When the backup was made, in seconds since 1970.
    pub taken: i64,
    /// How far the database had come then.
    pub generation: i64,
    /// Whether it was made on this installation.
    pub same_installation: bool,
    /// People in it.
    pub people: u32,
    /// Authenticators that are here already, and stay.
    pub kept: u32,
    /// Sets of recovery codes that stay, without what was used by either.
    pub kept_codes: u32,
    /// Authenticators that are here and not in it, and stay.
    pub newer: u32,
    /// Counts of failures that are higher in it, and are taken over.
    pub raised: u32,
    /// Of whom a second factor is required by name again.
    pub required: Vec<String>,
    /// What changes, and what does not although somebody could expect it.
    pub factors: Vec<RestoredFactor>,
}

/// What a backup does to one factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct RestoredFactor {
    /// The login name.
    pub user: String,
    /// The uid.
    pub uid: u32,
    /// `totp` or `recovery`.
    pub kind: String,
    /// The name the person gave it, or empty.
    pub name: String,
    /// `returns`, `void` (recovery codes that work no more), `revoked` (removed since, and stays so),
    /// `removed` (it was removed before the backup, and an older copy had brought it back) or `refused`.
    pub what: String,
    /// When it was confirmed, in seconds since 1970.
    pub created: i64,
    /// Why it is refused.
    pub why: String,
}

/// A person as the daemon knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Person {
    /// The login name.
    pub user: String,
    /// The numeric id that everything is kept under.
    pub uid: u32,
    /// Confirmed factors, oldest first.
    pub factors: Vec<Factor>,
    /// Locks that hold now.
    pub locks: Vec<Lock>,
    /// Wrong answers in a row since the last right one.
    pub failures: u32,
    /// When they last passed, in seconds since 1970; 0 is never.
    pub last_verified: i64,
    /// Where their logins were confirmed from since this boot, newest first.
    pub confirmed: Vec<Confirmed>,
    /// What happened to their factors, newest first; left out of a listing.
    pub notices: Vec<Notice>,
    /// What an administrator decided of this person beside the policies; the first one decides.
    pub overrides: Vec<Override>,
    /// Until when they pass without a factor.
    pub grace: Grace,
    /// Their mail addresses, those that count first and in order; left out of a listing.
    pub addresses: Vec<Address>,
}

/// A mail address of a person. Codes go to the first that counts, where a policy lists `email`; notices
/// go to all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Address {
    /// The address; `a***e@example.org` for whoever is neither the person nor root.
    pub address: String,
    /// `set`, `record` (a user record), `pattern` (made of the name by a policy), or `waits`: for its code,
    /// and does not count until then.
    pub source: String,
    /// When it was confirmed, in seconds since 1970; 0 for one that was looked up or waits.
    pub confirmed: i64,
    /// Who asked for it: a login name or `uid N`; empty for one that was looked up.
    pub by: String,
}

/// A letter with sample values, as it would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Preview {
    /// The policy that it is by; empty for none.
    pub policy: String,
    /// The file that the template was read from; empty for the one that is built in.
    pub file: String,
    /// The mailbox that would send it; empty for none.
    pub mailbox: String,
    /// The sender, as a header has it.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// Time that a policy gives somebody without a factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Grace {
    /// The first second that is too late, since 1970; 0 where nobody gives any.
    pub until: i64,
    /// How often they have passed by `later`.
    pub laters: u32,
}

/// What an administrator decided of one person beside the policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Override {
    /// The login name; it holds for nobody else who gets the uid.
    pub user: String,
    /// The uid; it holds for nobody else who gets the name.
    pub uid: u32,
    /// `exempt` or `require`.
    pub what: String,
    /// Exempt: the first second that is no longer exempt. Required: the first at which `later` is no
    /// answer any more, 0 for at once. In seconds since 1970.
    pub until: i64,
    /// Seconds until then.
    pub left: i64,
    /// Why; may be empty for a requirement.
    pub reason: String,
    /// Who decided, as a login name; may be empty.
    pub by: String,
    /// Their uid.
    pub by_uid: u32,
    /// When it was decided, in seconds since 1970.
    pub made: i64,
}

/// A reset that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct ResetRequest {
    /// Its number.
    pub id: u32,
    /// Whom it is about.
    pub user: String,
    /// Their uid.
    pub uid: u32,
    /// Who asked.
    pub requester: String,
    /// Why.
    pub reason: String,
    /// When, in seconds since 1970.
    pub asked: i64,
    /// When it lapses, in seconds since 1970.
    pub until: i64,
    /// Who agreed.
    pub approved: Vec<String>,
    /// How many must still agree.
    pub missing: u32,
}

/// One policy as a login met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Rule {
    /// The policy's name.
    pub policy: String,
    /// `hit`, `miss` or `may`.
    pub applies: String,
    /// What kept it from a certain hit: `service`, `network` or `person`; empty for a hit.
    pub because: String,
    /// `enforce`, `report` or `off`.
    pub status: String,
}

/// An authenticator that another program kept, to be taken over. No `Debug`: it holds the secret.
#[derive(Clone, Serialize, Deserialize, Type)]
pub struct ForeignFactor {
    /// The name it gets among the person's authenticators; a number is added where it is taken.
    pub name: String,
    /// The shared secret.
    pub secret: Vec<u8>,
    /// Digits of a code: 6 or 8.
    pub digits: u8,
    /// Seconds of a step: 30 or 60.
    pub period: u32,
    /// The highest step that is known to be used, by the authenticator's clock; -1 is none.
    pub used: i64,
    /// Seconds that the authenticator's clock is ahead of this host's.
    pub drift: i64,
    /// One-use codes of eight digits.
    pub scratch: Vec<Vec<u8>>,
}

/// What policy would do with one login, and how it comes to that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Explanation {
    /// `required`, `required-if-enrolled`, `report`, `off`, `no-policy` or `exempt`.
    pub decision: String,
    /// The policy that decides, or that would but for `overridden`; may be empty.
    pub policy: String,
    /// False when something could not be determined, and therefore counts as required.
    pub certain: bool,
    /// The policies in order, up to the first that certainly applies.
    pub walk: Vec<Rule>,
    /// What this person would see after the first factor, line by line; empty is nothing.
    pub prompts: Vec<String>,
    /// What that comes to: `nothing` (not asked), `code`, `enrollment` (a factor is set up in the login), `later`
    /// (let in until a date) or `refusal`.
    pub meets: String,
    /// What an administrator decided of this very person, which comes before the policies: none or one.
    pub overridden: Vec<Override>,
}

/// What came of applying the policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Applied {
    /// Whether the file is now in force; for a dry run, whether it would be.
    pub applied: bool,
    /// What it protects less than the policy before it, in sentences.
    pub weaker: Vec<String>,
    /// What is worth knowing about it.
    pub warnings: Vec<String>,
    /// Hash of the configuration in force afterwards.
    pub hash: String,
    /// Whether the file is other than what was in force before; false is nothing new.
    pub changed: bool,
    /// Open sessions of people who have not passed a policy that asks them from now on: the caller
    /// ends them (or would, for a dry run).
    pub sessions: Vec<Session>,
    /// Why logind's sessions are not known, if they are not.
    pub sessions_trouble: String,
}

/// What a draft of the policy would change for people, by the logins of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Impact {
    /// Hash of the draft.
    pub draft: String,
    /// Hash of what is in force.
    pub in_force: String,
    /// What is worth knowing about the draft.
    pub warnings: Vec<String>,
    /// Logins since then were looked at, in seconds since 1970.
    pub since: i64,
    /// So many.
    pub logins: u64,
    /// Those among them under names that are nobody's.
    pub strangers: u64,
    /// People who were looked at, with and without logins.
    pub people: u32,
    /// What was left out, in sentences; empty is nothing.
    pub notes: Vec<String>,
    /// What changes, and who stays locked out.
    pub changes: Vec<Change>,
}

/// What changes for one person at some services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Change {
    /// The login name.
    pub user: String,
    /// Their uid; -1 where the account database does not say.
    pub uid: i64,
    /// The PAM services.
    pub services: Vec<String>,
    /// How many of the logins that were looked at are these. 0 is somebody who did not log in: then
    /// the services are those that others use.
    pub logins: u64,
    /// `not-asked`, `later`, `enrolls`, `asked` or `locked-out`.
    pub before: String,
    /// The same, under the draft.
    pub after: String,
    /// The policy of the draft that decides, or empty.
    pub policy: String,
    /// False when something could not be determined, and therefore counts as required.
    pub certain: bool,
}

/// An open session that did not pass the policy that asks now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Session {
    /// logind's name for it; empty for a stray.
    pub id: String,
    /// The login name.
    pub user: String,
    /// Their uid.
    pub uid: u32,
    /// The PAM service that opened it.
    pub service: String,
    /// The remote host; empty for this machine.
    pub from: String,
    /// The terminal; may be empty.
    pub tty: String,
    /// The process that leads it.
    pub leader: u32,
    /// When it began, in seconds since 1970.
    pub since: i64,
    /// The policy that asks.
    pub policy: String,
    /// False when it only may be that the policy asks. Such a session is not ended.
    pub certain: bool,
}

/// Somebody's login that logind has no session for, as the caller found it in `/proc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Stray {
    /// The login name.
    pub user: String,
    /// Their uid.
    pub uid: u32,
    /// The PAM service, by the program that let them in.
    pub service: String,
    /// The terminal; may be empty.
    pub tty: String,
    /// The process.
    pub pid: u32,
    /// When it began, in seconds since 1970.
    pub since: i64,
}

/// Something that only the daemon knows of the health of this host; the kinds are in [`fact`](crate::fact).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Fact {
    /// One of the words in [`fact`](crate::fact).
    pub kind: String,
    /// Who or what it is about; may be empty.
    pub subject: String,
    /// What is known; may be empty.
    pub value: String,
}

/// One login, which is one row of the attempt log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Login {
    /// Row number, growing.
    pub id: i64,
    /// The login name; unknown names appear as `unknown:` and a keyed hash.
    pub user: String,
    /// The person's uid; -1 for unknown names.
    pub uid: i64,
    /// Who asked (`PAM_RUSER`), as the host said.
    pub ruser: String,
    /// The PAM service.
    pub service: String,
    /// The host program, as the module said.
    pub program: String,
    /// The terminal, as the host said.
    pub tty: String,
    /// An address, `local` or `unknown`.
    pub source: String,
    /// The policy that decided, or empty.
    pub policy: String,
    /// `asked`, `verified`, `denied`, `locked`, `skipped`, `would-ask`, `abandoned` or `enrolled`.
    pub state: String,
    /// The factor that was used, or empty.
    pub factor: String,
    /// A reason class such as `wrong-code`, `code-reused`, `not-enrolled`; may be empty.
    pub reason: String,
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// Answers typed.
    pub tries: u32,
    /// When the last answer was typed, in seconds since 1970; 0 is never.
    pub last_try: i64,
    /// Whether the account phase confirmed it.
    pub confirmed: bool,
}

/// Which logins are asked for. What is empty or 0 is not asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct WhichLogins {
    /// The login name.
    pub user: String,
    /// Not begun before this, in seconds since 1970.
    pub since: i64,
    /// Begun before this, in seconds since 1970.
    pub until: i64,
    /// Any of these states.
    pub states: Vec<String>,
    /// The PAM service.
    pub service: String,
    /// An address, a network such as `10.8.0.0/16`, `local` or `unknown`.
    pub from: String,
    /// The policy that decided.
    pub policy: String,
}

/// Which acts are asked for. What is empty or 0 is not asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct WhichActs {
    /// By this login name, or about it.
    pub user: String,
    /// Not before this, in seconds since 1970.
    pub since: i64,
    /// Before this, in seconds since 1970.
    pub until: i64,
    /// Any of these methods.
    pub verbs: Vec<String>,
}

/// Something that somebody did through this interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Act {
    /// Its number, growing.
    pub id: i64,
    /// When, in seconds since 1970.
    pub at: i64,
    /// The method.
    pub verb: String,
    /// Who: their uid.
    pub actor: u32,
    /// Their login name; may be empty.
    pub actor_name: String,
    /// Who they were before any `su` or `sudo`, as a uid; -1 where the kernel does not say.
    pub loginuid: i64,
    /// The login name of the person it is about; empty for the host.
    pub user: String,
    /// Their uid; -1 for the host.
    pub uid: i64,
    /// How it was before, in words.
    pub before: String,
    /// How it is after, in words.
    pub after: String,
    /// Why, as they said; may be empty.
    pub reason: String,
}

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Sample {
    /// The name of the metric, as OpenMetrics writes it.
    pub name: String,
    /// Names and values of labels.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// What a page of the log was found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Verified {
    /// Where to go on: 0 links, 1 logins, 2 acts, 3 nowhere.
    pub part: u32,
    /// Behind which row of that.
    pub after: i64,
    /// Rows that there are to prove in all.
    pub rows: u64,
    /// The last link, such as `12:0a1b...`: noted elsewhere, it proves later that nothing before it is gone.
    pub last: String,
    /// Logins up to this row are vouched for by nobody: an administrator accepted them as they were.
    pub accepted: i64,
    /// What became of the link that was noted, on the first page: `matched`; `gone`, where the log begins
    /// behind it by age, number or acceptance; or `absent`. Empty where none was given.
    pub noted: String,
    /// Acts on this page by which a database was put in place while nothing ran.
    pub placed: Vec<Act>,
    /// What is broken on this page.
    pub broken: Vec<Broken>,
}

/// A place where the log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Broken {
    /// `changed`, `missing`, `added` or `ends`.
    pub what: String,
    /// `login`, `act`, `link` or `log`.
    pub row: String,
    /// Its number.
    pub id: i64,
    /// In words.
    pub why: String,
}

/// What `countersignctl` does to a host by itself, and has the daemon record: a service asks from now on, it
/// was confirmed, it does not ask any more, and it does not because nobody confirmed it.
pub const NOTED_VERBS: [&str; 4] = ["EnableService", "ConfirmService", "DisableService", "RollBackService"];

/// The client side of `Manager`.
#[cfg(feature = "client")]
#[zbus::proxy(
    interface = "org.countersign1.Manager",
    default_service = "org.countersign1",
    default_path = "/org/countersign1"
)]
pub trait Manager {
    /// Version, state of the configuration in words, policy hash, people enrolled, seconds by which the
    /// wall clock is behind the latest date seen.
    fn host_status(&self) -> zbus::Result<(String, String, String, u64, i64)>;
    /// One person.
    fn status(&self, user: &str) -> zbus::Result<Person>;
    /// A page of people who have a factor or are given time to get one, by uid, after `after_uid` (start: `from_first` true).
    fn users(&self, from_first: bool, after_uid: u32, limit: u32) -> zbus::Result<Vec<Person>>;
    /// A page of the attempt log, newest first, and where to go on: (0, 0) is the newest, and nowhere. A page
    /// may be empty and not the last.
    fn log(
        &self,
        which: &WhichLogins,
        from: (i64, i64),
        limit: u32,
    ) -> zbus::Result<(Vec<Login>, (i64, i64))>;
    /// Logins as they finish, after a place; below 0 gives none and the last place.
    #[zbus(no_autostart)]
    fn follow_log(&self, which: &WhichLogins, after: i64, limit: u32) -> zbus::Result<(Vec<Login>, i64)>;
    /// A page of what people did through this interface, newest first, and where to go on, as for `log`.
    fn acts(&self, which: &WhichActs, before: i64, limit: u32) -> zbus::Result<(Vec<Act>, i64)>;
    /// Proves a page of the log, beginning at (0, 0). A link that was noted before is looked for in the first.
    fn verify_log(&self, from: (u32, i64), noted: &str) -> zbus::Result<Verified>;
    /// What is counted and measured.
    fn metrics(&self) -> zbus::Result<Vec<Sample>>;
    /// Accepts what is broken now; from here on the log is proven again.
    fn accept_log(&self, reason: &str) -> zbus::Result<()>;
    /// Starts an enrollment: id, otpauth URI, secret (base32), issuer, account.
    fn enroll(
        &self,
        user: &str,
        name: &str,
        proof: &str,
        invitation: &str,
    ) -> zbus::Result<(String, String, String, String, String)>;
    /// Confirms it by the first code; returns the recovery codes, or none where those of before stay.
    fn confirm_enrollment(&self, enrollment: &str, code: &[u8]) -> zbus::Result<Vec<String>>;
    /// Throws it away.
    fn cancel_enrollment(&self, enrollment: &str) -> zbus::Result<()>;
    /// Gives an authenticator another name.
    fn rename_factor(&self, user: &str, name: &str, new_name: &str, proof: &str) -> zbus::Result<()>;
    /// Removes an authenticator; returns how many are left.
    fn remove_factor(&self, user: &str, name: &str, proof: &str, reason: &str) -> zbus::Result<u32>;
    /// Puts an authenticator right by two codes in a row; returns the seconds that its clock is ahead.
    fn resync(&self, user: &str, name: &str, first: &[u8], second: &[u8]) -> zbus::Result<i64>;
    /// Makes a new set of recovery codes; returns it.
    fn new_recovery_codes(&self, user: &str, proof: &str) -> zbus::Result<Vec<String>>;
    /// The unused recovery codes, where the configuration lets them be shown again.
    fn view_recovery_codes(&self, user: &str, reason: &str) -> zbus::Result<Vec<String>>;
    /// Sends a code to a mail address, which counts in the place of the one before once the code is typed;
    /// returns the address, masked. `proof` and `invitation` as for an enrollment.
    fn set_address(
        &self,
        user: &str,
        address: &str,
        proof: &str,
        invitation: &str,
        reason: &str,
    ) -> zbus::Result<String>;
    /// Puts the address that waits into force by its code; returns it, masked.
    fn confirm_address(&self, user: &str, code: &[u8]) -> zbus::Result<String>;
    /// Removes the address that was set, and the one that waits; returns the one that counted, masked, or
    /// nothing.
    fn remove_address(&self, user: &str, proof: &str, reason: &str) -> zbus::Result<String>;
    /// Makes a one-time code to enroll with: the code, and the seconds that it lives.
    fn invite(&self, user: &str, minutes: u32) -> zbus::Result<(String, i64)>;
    /// Removes every factor of a person; returns how many. `alone` is root without the approvals that
    /// the configuration asks for.
    fn reset(&self, user: &str, reason: &str, alone: bool) -> zbus::Result<u32>;
    /// Asks for a reset of a colleague; `proof` is a login of one's own, just verified. Returns the
    /// request's number.
    fn request_reset(&self, user: &str, reason: &str, proof: &str) -> zbus::Result<u32>;
    /// Requests that nobody has decided yet, oldest first.
    fn reset_requests(&self) -> zbus::Result<Vec<ResetRequest>>;
    /// Agrees to a request; returns how many must still agree. 0: the person was reset.
    fn approve_reset(&self, id: u32) -> zbus::Result<u32>;
    /// Refuses a request.
    fn refuse_reset(&self, id: u32, reason: &str) -> zbus::Result<()>;
    /// Refuses every login of a person, whatever is shown, until [`unlock`](ManagerProxy::unlock) lifts it.
    fn lock(&self, user: &str, reason: &str) -> zbus::Result<()>;
    /// Lifts the locks of a person; returns how many.
    fn unlock(&self, user: &str, reason: &str) -> zbus::Result<u32>;
    /// Forgets the sources that a person would pass unasked from; returns how many.
    fn forget(&self, user: &str) -> zbus::Result<u32>;
    /// Exempts somebody from every policy until then, in seconds since 1970.
    fn exempt(&self, user: &str, until: i64, reason: &str) -> zbus::Result<()>;
    /// Requires a second factor of somebody, whatever policy says: by then, or at once (0).
    fn require(&self, user: &str, by: i64, reason: &str) -> zbus::Result<()>;
    /// Takes an exemption (`exempt`) or a requirement (`require`) back; returns how many.
    fn end_override(&self, user: &str, what: &str, reason: &str) -> zbus::Result<u32>;
    /// Who is exempt or required now, by name.
    fn overrides(&self) -> zbus::Result<Vec<Override>>;
    /// Takes the wall clock for right although a later date was seen; returns by how many seconds later.
    fn accept_clock(&self) -> zbus::Result<i64>;
    /// Records what root's tool did to this host without the daemon: a verb of [`NOTED_VERBS`], how it was
    /// before and after, and why.
    fn note_act(&self, verb: &str, before: &str, after: &str, reason: &str) -> zbus::Result<()>;
    /// Takes over an authenticator of another program; `add`: also where the person has one already.
    /// Gives whether it is new, and how many of its scratch codes were taken.
    fn import_factor(
        &self,
        user: &str,
        factor: &ForeignFactor,
        add: bool,
        dry_run: bool,
    ) -> zbus::Result<(bool, u32)>;
    /// What policy would do with a login of this user to this service from this address ("" is this
    /// machine) at this time (0 is now).
    fn explain_policy(&self, user: &str, service: &str, from: &str, at: i64) -> zbus::Result<Explanation>;
    /// What a draft would change: files by name and size, their bytes one after the other behind a
    /// descriptor; none is the file on disk. By the logins of the last `seconds`.
    fn policy_impact(
        &self,
        files: &[(String, u64)],
        contents: zbus::Fd<'_>,
        seconds: u64,
    ) -> zbus::Result<Impact>;
    /// What only the daemon knows of the health of this host.
    fn doctor(&self) -> zbus::Result<Vec<Fact>>;
    /// Writes a backup of everything into a new, empty file: secrets only sealed. A key file that is to
    /// lie beside it is compared with the key in use.
    fn backup(&self, file: zbus::Fd<'_>, key: &[zbus::Fd<'_>]) -> zbus::Result<Backup>;
    /// When the last backup was made, in seconds since 1970; 0 is never.
    fn last_backup(&self) -> zbus::Result<i64>;
    /// Brings back what a backup has and this host lost. A key file where the backup is of another key.
    fn restore(
        &self,
        file: zbus::Fd<'_>,
        key: &[zbus::Fd<'_>],
        how: &HowToRestore,
        reason: &str,
    ) -> zbus::Result<Restored>;
    /// Copies what these people have, or everybody, for another host: sealed by the 32 bytes behind `key`,
    /// into a new, empty file. Gives how many people.
    fn export_people(
        &self,
        users: &[&str],
        key: zbus::Fd<'_>,
        file: zbus::Fd<'_>,
        reason: &str,
    ) -> zbus::Result<u32>;
    /// Takes people in whom another host copied so.
    fn import_people(
        &self,
        key: zbus::Fd<'_>,
        file: zbus::Fd<'_>,
        how: &HowToTakeIn,
        reason: &str,
    ) -> zbus::Result<Vec<CameIn>>;
    /// Seals everything by the key of this key file, which also holds the one until now. Gives how many
    /// secrets that were, and how many enrollments start over.
    fn rekey(&self, key: zbus::Fd<'_>) -> zbus::Result<(u64, u64)>;
    /// What a letter would look like: `code` or `notice`, under a policy; an empty one is the first that
    /// sends codes.
    fn preview_email(&self, policy: &str, letter: &str) -> zbus::Result<Preview>;
    /// Puts the configuration file into force, all of it or nothing, and names the open sessions that
    /// it means to end. The reason may be empty.
    fn apply_policy(
        &self,
        accept_weaker: bool,
        dry_run: bool,
        now: bool,
        strays: &[Stray],
        reason: &str,
    ) -> zbus::Result<Applied>;
}
