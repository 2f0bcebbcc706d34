//! A daemon that answers from a script and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_protocol::manager::{
    Act, Applied, Backup, Broken, Confirmed, Explanation, Factor, ForeignFactor, Grace, HowToRestore, Login,
    Notice, Override, Person, ResetRequest, Restored, RestoredFactor, Rule, Sample, Stray, Verified,
    WhichActs, WhichLogins,
};
use countersign_protocol::names::{BUS_NAME, OBJECT_PATH};
use tokio::sync::oneshot;
use zbus::OwnedFd;

/// The code that is right.
pub const CODE: &str = "123456";
/// The secret that is handed out.
pub const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
/// Recovery codes that are handed out.
pub const RECOVERY: &str = "abcd-efgh-jkmn-pq";

/// What the daemon has and was asked.
#[derive(Default)]
pub struct Script {
    /// What finishes while somebody follows, one row per call.
    pub finishing: VecDeque<Login>,
    /// Calls of FollowLog that fail first.
    pub away: u32,
    pub acts: Vec<Act>,
    pub broken: Vec<Broken>,
    /// What VerifyLog says of a link that was noted, and of databases that were put in place.
    pub noted: &'static str,
    pub placed: Vec<Act>,
    pub calls: Vec<String>,
    pub people: Vec<Person>,
    pub logins: Vec<Login>,
    /// Resets that were asked for.
    pub requests: Vec<ResetRequest>,
    /// Answer each page as if it were the first.
    pub repeat_pages: bool,
    /// The state of the configuration; empty is a healthy one.
    pub config: String,
    /// What ApplyPolicy answers, call by call: a result, or the problems of a broken file.
    pub applies: VecDeque<Result<Applied, String>>,
    pub overrides: Vec<Override>,
    /// How long Metrics takes.
    pub slow: Duration,
    /// Seconds that the clock is behind the latest date.
    pub clock_behind: i64,
}

/// A running scripted daemon.
pub struct Daemon {
    pub script: Arc<Mutex<Script>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    pub fn start(address: &str, script: Script) -> Self {
        let script = Arc::new(Mutex::new(script));
        let manager = Manager { script: Arc::clone(&script) };
        let address = address.to_owned();
        let (ready, is_ready) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let _connection = zbus::connection::Builder::address(&*address)
                    .name(BUS_NAME)
                    .serve_at(OBJECT_PATH, manager)
                    .build()
                    .await
                    .expect("the scripted daemon is on the bus");
                ready.send(()).expect("the test waits");
                drop(stopped.await);
            });
        });
        is_ready.recv_timeout(Duration::from_secs(20)).expect("the scripted daemon starts");
        Self { script, stop: Some(stop), thread: Some(thread) }
    }

    pub fn calls(&self) -> Vec<String> {
        self.script.lock().expect("not poisoned").calls.clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        drop(self.thread.take().map(JoinHandle::join));
    }
}

pub fn person(user: &str, uid: u32) -> Person {
    let factor = |kind: &str, left| Factor {
        kind: kind.into(),
        name: if kind == "totp" { "app".into() } else { String::new() },
        created: 1_795_332_612,
        last_used: 0,
        left,
    };
    Person {
        user: user.into(),
        uid,
        factors: vec![factor("totp", 0), factor("recovery", 10)],
        locks: Vec::new(),
        failures: 0,
        last_verified: 1_795_332_700,
        confirmed: Vec::new(),
        notices: Vec::new(),
        overrides: Vec::new(),
        grace: Grace::default(),
        addresses: Vec::new(),
    }
}

pub fn explanation() -> Explanation {
    let rule = |policy: &str, applies: &str, because: &str, status: &str| Rule {
        policy: policy.into(),
        applies: applies.into(),
        because: because.into(),
        status: status.into(),
    };
    Explanation {
        decision: "required".into(),
        policy: "operators".into(),
        certain: true,
        walk: vec![rule("robots", "miss", "person", "off"), rule("operators", "hit", "", "enforce")],
        prompts: vec!["Verification code: ".into()],
        meets: "code".into(),
        overridden: vec![],
    }
}

/// What came of applying a file that protects so much less.
pub fn applied(applied: bool, weaker: &[&str]) -> Applied {
    Applied {
        applied,
        weaker: weaker.iter().map(|sentence| (*sentence).to_owned()).collect(),
        warnings: vec!["f.toml:3: odd".into()],
        hash: "0123456789abcdef".repeat(4),
        changed: true,
        sessions: Vec::new(),
        sessions_trouble: String::new(),
    }
}

/// What is asked beside whose and how much.
fn question(which: &WhichLogins) -> String {
    let WhichLogins { since, until, states, service, from, policy, .. } = which;
    if *which == (WhichLogins { user: which.user.clone(), ..WhichLogins::default() }) {
        return String::new();
    }
    format!(" {since} {until} {} {service} {from} {policy}", states.join(","))
}

pub fn login(id: i64, user: &str) -> Login {
    Login {
        id,
        user: user.into(),
        uid: 1000,
        ruser: "".into(),
        service: "sshd".into(),
        program: "sshd".into(),
        tty: "ssh".into(),
        source: "192.0.2.7".into(),
        policy: "operators".into(),
        state: "verified".into(),
        factor: "totp".into(),
        reason: "".into(),
        started: 1_795_332_612 + id,
        tries: 1,
        last_try: 1_795_332_620 + id,
        confirmed: true,
    }
}

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.countersign1.Error")]
enum Error {
    #[zbus(error)]
    Bus(zbus::Error),
    NotFound(String),
    NotAuthorized(String),
    Unavailable(String),
    InvalidArgument(String),
    Busy(String),
    Expired(String),
}

struct Manager {
    script: Arc<Mutex<Script>>,
}

impl Manager {
    fn note(&self, call: String) -> std::sync::MutexGuard<'_, Script> {
        let mut script = self.script.lock().expect("not poisoned");
        script.calls.push(call);
        script
    }
}

fn known(user: &str) -> Result<(), Error> {
    match user {
        "nobody-here" => Err(Error::NotFound("no user \u{1b}[2Jnobody-here".into())),
        "forbidden" => Err(Error::NotAuthorized("uid 1000 may not".into())),
        "broken" => Err(Error::Unavailable("the store cannot be read".into())),
        "busy" => Err(Error::Busy("too many questions to polkit are open".into())),
        "late" => Err(Error::Expired("the enrollment has lapsed".into())),
        "refused" => Err(Error::InvalidArgument("nobody resets themselves".into())),
        _ => Ok(()),
    }
}

#[zbus::interface(name = "org.countersign1.Manager")]
impl Manager {
    fn host_status(&self) -> (String, String, String, u64, i64) {
        let script = self.note("HostStatus".into());
        let config = if script.config.is_empty() { "loaded" } else { &script.config };
        ("0.1.0".into(), config.into(), "ab12".into(), 2, script.clock_behind)
    }

    fn status(&self, user: &str) -> Result<(Person,), Error> {
        drop(self.note(format!("Status {user}")));
        known(user)?;
        let confirmed =
            vec![Confirmed { service: "sshd".into(), source: "192.0.2.7".into(), at: 1_795_332_700 }];
        let notices =
            vec![Notice { at: 1_795_332_701, kind: "enrolled".into(), detail: "app".into(), told: 0 }];
        Ok((Person { confirmed, notices, ..person(user, 1000) },))
    }

    fn users(&self, from_first: bool, after_uid: u32, limit: u32) -> Vec<Person> {
        let script = self.note(format!("Users {from_first} {after_uid} {limit}"));
        let all = script.people.iter();
        all.filter(|one| from_first || script.repeat_pages || one.uid > after_uid)
            .take(limit as usize)
            .cloned()
            .collect()
    }

    fn log(&self, which: WhichLogins, from: (i64, i64), limit: u32) -> (Vec<Login>, (i64, i64)) {
        let asked = question(&which);
        let script = self.note(format!("Log {} {} {limit}{asked}", which.user, from.0));
        let all = script.logins.iter().rev();
        let page: Vec<Login> = all
            .filter(|one| which.user.is_empty() || one.user == which.user)
            .filter(|one| from.0 == 0 || script.repeat_pages || one.id < from.0)
            .take(limit as usize)
            .cloned()
            .collect();
        drop(which);
        let last = page.len() < limit as usize && !script.repeat_pages;
        let next = if last { (0, 0) } else { (page[page.len() - 1].id, 7) };
        (page, next)
    }

    /// Rows beyond the first call finish one by one.
    fn follow_log(&self, which: WhichLogins, after: i64, limit: u32) -> Result<(Vec<Login>, i64), Error> {
        let asked = question(&which);
        drop(which);
        let mut script = self.note(format!("FollowLog {after} {limit}{asked}"));
        if script.away > 0 {
            script.away -= 1;
            return Err(Error::Unavailable("the database cannot be read".into()));
        }
        if after < 0 {
            return Ok((Vec::new(), 40));
        }
        let finished = script.finishing.pop_front();
        let next = after + i64::from(u8::from(finished.is_some()));
        Ok((finished.into_iter().collect(), next))
    }

    fn acts(&self, which: WhichActs, before: i64, limit: u32) -> (Vec<Act>, i64) {
        let WhichActs { user, since, until, verbs } = which;
        let script = self.note(format!("Acts {user} {since} {until} {verbs:?} {before} {limit}"));
        let all = script.acts.iter().rev().filter(|act| before == 0 || act.id < before);
        let page: Vec<Act> = all.take(limit as usize).cloned().collect();
        let next = if page.len() < limit as usize { 0 } else { page[page.len() - 1].id };
        (page, next)
    }

    fn verify_log(&self, from: (u32, i64), noted: &str) -> (Verified,) {
        let script = self.note(format!("VerifyLog {} {} {noted}", from.0, from.1));
        let broken = if from == (1, 0) { script.broken.clone() } else { Vec::new() };
        let last = "12:000102030405060708090a0b0c0d0e0f".to_owned();
        let noted = if noted.is_empty() || from != (0, 0) { String::new() } else { script.noted.to_owned() };
        let placed = if from == (2, 0) { script.placed.clone() } else { Vec::new() };
        (Verified { part: from.0 + 1, after: 0, rows: 34, last, accepted: 0, noted, placed, broken },)
    }

    fn metrics(&self) -> Vec<Sample> {
        let slow = self.note("Metrics".into()).slow;
        std::thread::sleep(slow);
        let labels = vec![("state".to_owned(), "denied".to_owned())];
        vec![Sample { name: "countersign_logins_total".into(), labels, value: 4.0 }]
    }

    fn accept_log(&self, reason: &str) {
        drop(self.note(format!("AcceptLog {reason}")));
    }

    fn enroll(
        &self,
        user: &str,
        name: &str,
        proof: &str,
        invitation: &str,
    ) -> Result<(String, String, String, String, String), Error> {
        let words: Vec<&str> =
            ["Enroll", user, name, proof, invitation].into_iter().filter(|word| !word.is_empty()).collect();
        drop(self.note(words.join(" ")));
        known(user)?;
        if user == "stranger" && invitation.is_empty() {
            return Err(Error::InvalidArgument("an invitation is needed for your first factor".into()));
        }
        let uri = format!("otpauth://totp/Acme:{user}%40host?secret={SECRET}&issuer=Acme");
        Ok(("e1".into(), uri, SECRET.into(), "Acme".into(), format!("{user}@host")))
    }

    fn confirm_enrollment(&self, enrollment: &str, code: &[u8]) -> Result<Vec<String>, Error> {
        let typed = String::from_utf8_lossy(code).into_owned();
        drop(self.note(format!("ConfirmEnrollment {enrollment} {typed}")));
        if typed != CODE {
            return Err(Error::InvalidArgument("that code is not right".into()));
        }
        Ok((0..10).map(|n| format!("{RECOVERY}{n:02}")).collect())
    }

    fn cancel_enrollment(&self, enrollment: &str) {
        drop(self.note(format!("CancelEnrollment {enrollment}")));
    }

    fn set_address(
        &self,
        user: &str,
        address: &str,
        proof: &str,
        invitation: &str,
        reason: &str,
    ) -> Result<String, Error> {
        drop(self.note(format!("SetAddress {user} {address} {proof:?} {invitation:?} {reason}")));
        known(user)?;
        if user == "stranger" && invitation.is_empty() {
            return Err(Error::InvalidArgument("an invitation is needed for your first factor".into()));
        }
        Ok("a***e@example.org\u{1b}".into())
    }

    fn confirm_address(&self, user: &str, code: &[u8]) -> Result<String, Error> {
        let typed = String::from_utf8_lossy(code).into_owned();
        drop(self.note(format!("ConfirmAddress {user} {typed}")));
        known(user)?;
        if typed != CODE {
            return Err(Error::InvalidArgument("that code is not right; 4 tries are left".into()));
        }
        Ok("a***e@example.org".into())
    }

    fn remove_address(&self, user: &str, proof: &str, reason: &str) -> Result<String, Error> {
        drop(self.note(format!("RemoveAddress {user} {proof:?} {reason}")));
        known(user)?;
        Ok(if user == "waits" { String::new() } else { "a***e@example.org".into() })
    }

    fn rename_factor(&self, user: &str, name: &str, new_name: &str, proof: &str) -> Result<(), Error> {
        drop(self.note(format!("RenameFactor {user} {name} {new_name} {proof}")));
        known(user)
    }

    fn remove_factor(&self, user: &str, name: &str, proof: &str, reason: &str) -> Result<u32, Error> {
        drop(self.note(format!("RemoveFactor {user} {name} {proof} {reason}")));
        known(user)?;
        Ok(1)
    }

    fn resync(&self, user: &str, name: &str, first: &[u8], second: &[u8]) -> Result<i64, Error> {
        let typed = |code: &[u8]| String::from_utf8_lossy(code).into_owned();
        drop(self.note(format!("Resync {user} {name} {} {}", typed(first), typed(second))));
        known(user)?;
        Ok(95)
    }

    fn new_recovery_codes(&self, user: &str, proof: &str) -> Result<Vec<String>, Error> {
        drop(self.note(format!("NewRecoveryCodes {user} {proof}")));
        known(user)?;
        Ok((0..10).map(|n| format!("{RECOVERY}{n:02}")).collect())
    }

    fn view_recovery_codes(&self, user: &str, reason: &str) -> Result<Vec<String>, Error> {
        drop(self.note(format!("ViewRecoveryCodes {user} {reason}")));
        known(user)?;
        Ok((0..2).map(|n| format!("{RECOVERY}{n:02}")).collect())
    }

    fn invite(&self, user: &str, minutes: u32) -> Result<(String, i64), Error> {
        drop(self.note(format!("Invite {user} {minutes}")));
        known(user)?;
        Ok(("k7m2q-9xw4t".into(), i64::from(minutes) * 60))
    }

    fn reset(&self, user: &str, reason: &str, alone: bool) -> Result<u32, Error> {
        drop(self.note(format!("Reset {user} {reason} {alone}")));
        known(user)?;
        Ok(2)
    }

    fn request_reset(&self, user: &str, reason: &str, proof: &str) -> Result<u32, Error> {
        drop(self.note(format!("RequestReset {user} {reason} {proof}")));
        known(user)?;
        Ok(3)
    }

    fn reset_requests(&self) -> Vec<ResetRequest> {
        self.note("ResetRequests".into()).requests.clone()
    }

    fn approve_reset(&self, id: u32) -> u32 {
        let script = self.note(format!("ApproveReset {id}"));
        script.requests.iter().find(|request| request.id == id).map_or(0, |request| request.missing - 1)
    }

    fn refuse_reset(&self, id: u32, reason: &str) {
        drop(self.note(format!("RefuseReset {id} {reason}")));
    }

    fn backup(&self, file: OwnedFd, key: Vec<OwnedFd>) -> (Backup,) {
        drop(self.note(format!("Backup {} keys", key.len())));
        drop((file, key));
        (Backup { taken: 1_795_332_612, generation: 34, bytes: 81_920 },)
    }

    fn restore(&self, file: OwnedFd, key: Vec<OwnedFd>, how: HowToRestore, reason: &str) -> (Restored,) {
        drop(self.note(format!("Restore {} keys {} {} {reason}", key.len(), how.keep_codes, how.dry_run)));
        drop((file, key));
        let factor = |kind: &str, name: &str, what: &str| RestoredFactor {
            user: "alice".into(),
            uid: 1000,
            kind: kind.into(),
            name: name.into(),
            what: what.into(),
            created: 1_795_332_612,
            why: String::new(),
        };
        (Restored {
            taken: 1_795_332_612,
            generation: 34,
            same_installation: true,
            people: 3,
            kept: 2,
            kept_codes: 0,
            newer: 1,
            raised: 1,
            required: vec!["carol".into()],
            factors: vec![
                factor("totp", "tablet", "returns"),
                factor("totp", "old phone", "revoked"),
                factor("recovery", "", "void"),
            ],
        },)
    }

    /// How many secrets, and how many enrollments start over.
    fn rekey(&self, key: OwnedFd) -> (u64, u64) {
        drop(self.note("Rekey".into()));
        drop(key);
        (7, 1)
    }

    fn lock(&self, user: &str, reason: &str) -> Result<(), Error> {
        drop(self.note(format!("Lock {user} {reason}")));
        known(user)
    }

    fn unlock(&self, user: &str, reason: &str) -> Result<u32, Error> {
        drop(self.note(format!("Unlock {user} {reason}")));
        known(user)?;
        Ok(1)
    }

    fn forget(&self, user: &str) -> Result<u32, Error> {
        drop(self.note(format!("Forget {user}")));
        known(user)?;
        Ok(2)
    }

    fn exempt(&self, user: &str, until: i64, reason: &str) -> Result<(), Error> {
        drop(self.note(format!("Exempt {user} {until} {reason}")));
        known(user)
    }

    fn require(&self, user: &str, by: i64, reason: &str) -> Result<(), Error> {
        drop(self.note(format!("Require {user} {by} {reason}")));
        known(user)
    }

    fn end_override(&self, user: &str, what: &str, reason: &str) -> Result<u32, Error> {
        drop(self.note(format!("EndOverride {user} {what} {reason}")));
        known(user)?;
        Ok(1)
    }

    fn overrides(&self) -> Vec<Override> {
        self.note("Overrides".into()).overrides.clone()
    }

    fn note_act(&self, verb: &str, before: &str, after: &str, reason: &str) {
        drop(self.note(format!("NoteAct {verb} {before} {after} {reason}")));
    }

    fn accept_clock(&self) -> i64 {
        self.note("AcceptClock".into()).clock_behind
    }

    /// Whoever is called `enrolled` has an authenticator; a secret of eight bytes is weak.
    fn import_factor(
        &self,
        user: &str,
        factor: ForeignFactor,
        add: bool,
        dry_run: bool,
    ) -> Result<(bool, u32), Error> {
        let ForeignFactor { name, secret, digits, period, used, drift, scratch } = factor;
        drop(self.note(format!(
            "ImportFactor {user} {name} {} {digits} {period} {used} {drift} {} {add} {dry_run}",
            secret.len(),
            scratch.len()
        )));
        known(user)?;
        match secret.len() {
            8 => Err(Error::InvalidArgument("the secret is too weak: 64 bits".into())),
            _ => Ok((user != "enrolled", u32::try_from(scratch.len()).expect("few"))),
        }
    }

    fn explain_policy(
        &self,
        user: &str,
        service: &str,
        from: &str,
        at: i64,
    ) -> Result<(Explanation,), Error> {
        let at = if at == 0 { String::new() } else { format!(" at {at}") };
        drop(self.note(format!("ExplainPolicy {user} {service} {from}{at}")));
        known(user)?;
        Ok((explanation(),))
    }

    fn apply_policy(
        &self,
        accept_weaker: bool,
        dry_run: bool,
        now: bool,
        strays: Vec<Stray>,
        reason: &str,
    ) -> Result<(Applied,), Error> {
        // Which logins of this host logind does not know is another matter on each machine.
        drop(strays);
        let now = if now { " now" } else { "" };
        let why = if reason.is_empty() { String::new() } else { format!(" because {reason}") };
        let mut script = self.note(format!("ApplyPolicy {accept_weaker} {dry_run}{now}{why}"));
        let answer = script.applies.pop_front().expect("as many calls as the script has");
        answer.map(|applied| (applied,)).map_err(Error::InvalidArgument)
    }
}
