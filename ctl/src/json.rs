//! JSON lines, whose keys and their order scripts rely on.

use countersign_protocol::mailer::Stage;
use countersign_protocol::manager::{
    Address, Applied, Explanation, Impact, Login, Override, Person, Preview, ResetRequest, Session,
};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::terminal::is_unprintable;

/// One login, one line of `log --json`.
#[derive(Serialize)]
struct LoginLine<'l> {
    id: i64,
    user: &'l str,
    uid: Option<i64>,
    ruser: &'l str,
    service: &'l str,
    program: &'l str,
    tty: &'l str,
    source: &'l str,
    policy: &'l str,
    state: &'l str,
    factor: &'l str,
    reason: &'l str,
    started: i64,
    tries: u32,
    last_try: Option<i64>,
    confirmed: bool,
}

/// An invitation, as `invite --json` prints it.
#[derive(Serialize)]
pub(crate) struct InvitationLine<'i> {
    pub(crate) code: &'i str,
    pub(crate) seconds: i64,
}

/// One line of `recovery-codes --json`.
pub(crate) fn codes_left(left: u32) -> String {
    #[derive(Serialize)]
    struct Left {
        left: u32,
    }
    to_line(&Left { left })
}

pub(crate) fn login(login: &Login) -> String {
    to_line(&LoginLine {
        id: login.id,
        user: &login.user,
        uid: (login.uid >= 0).then_some(login.uid),
        ruser: &login.ruser,
        service: &login.service,
        program: &login.program,
        tty: &login.tty,
        source: &login.source,
        policy: &login.policy,
        state: &login.state,
        factor: &login.factor,
        reason: &login.reason,
        started: login.started,
        tries: login.tries,
        last_try: unless_never(login.last_try),
        confirmed: login.confirmed,
    })
}

/// A letter with sample values.
pub(crate) fn mail_preview(letter: &str, preview: &Preview) -> String {
    #[derive(Serialize)]
    struct Line<'p> {
        letter: &'p str,
        #[serde(flatten)]
        preview: &'p Preview,
    }
    to_line(&Line { letter, preview })
}

/// What came of a test letter.
pub(crate) fn mail_test(outcome: &str, stages: &[Stage]) -> String {
    #[derive(Serialize)]
    struct Line<'s> {
        outcome: &'s str,
        stages: &'s [Stage],
    }
    to_line(&Line { outcome, stages })
}

#[derive(Serialize)]
struct ImportedLine<'i> {
    user: &'i str,
    from: &'i str,
    result: &'i str,
    why: &'i str,
}

/// What came of one authenticator, one line of `import --json`.
pub(crate) fn imported(user: &str, from: &str, result: &str, why: &str) -> String {
    to_line(&ImportedLine { user, from, result, why })
}

#[derive(Serialize)]
struct PersonLine<'p> {
    user: &'p str,
    uid: u32,
    factors: Vec<FactorPart<'p>>,
    locks: Vec<LockPart<'p>>,
    failures: u32,
    last_verified: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<Vec<ConfirmedPart<'p>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notices: Option<Vec<NoticePart<'p>>>,
    overrides: Vec<OverrideLine<'p>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace: Option<GracePart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<Vec<AddressPart<'p>>>,
}

/// One line of `email show --json`.
pub(crate) fn address(one: &Address) -> String {
    to_line(&address_part(one))
}

/// A part of a person, and that line.
#[derive(Serialize)]
struct AddressPart<'p> {
    address: &'p str,
    source: &'p str,
    confirmed: Option<i64>,
    by: Option<&'p str>,
}

fn address_part(one: &Address) -> AddressPart<'_> {
    AddressPart {
        address: &one.address,
        source: &one.source,
        confirmed: unless_never(one.confirmed),
        by: (!one.by.is_empty()).then_some(&one.by),
    }
}

#[derive(Serialize)]
struct GracePart {
    until: i64,
    laters: u32,
}

#[derive(Serialize)]
struct NoticePart<'p> {
    at: i64,
    kind: &'p str,
    detail: &'p str,
    told: Option<i64>,
}

/// One line of `exempt --json` and `require --json`, and a part of a person.
#[derive(Serialize)]
struct OverrideLine<'o> {
    user: &'o str,
    uid: u32,
    what: &'o str,
    until: Option<i64>,
    left: Option<i64>,
    reason: &'o str,
    by: &'o str,
    by_uid: u32,
    made: i64,
}

pub(crate) fn one_override(one: &Override) -> String {
    to_line(&override_line(one))
}

fn override_line(one: &Override) -> OverrideLine<'_> {
    OverrideLine {
        user: &one.user,
        uid: one.uid,
        what: &one.what,
        until: unless_never(one.until),
        left: (one.until != 0).then_some(one.left),
        reason: &one.reason,
        by: &one.by,
        by_uid: one.by_uid,
        made: one.made,
    }
}

#[derive(Serialize)]
struct ConfirmedPart<'p> {
    service: &'p str,
    source: &'p str,
    at: i64,
}

#[derive(Serialize)]
struct FactorPart<'p> {
    kind: &'p str,
    name: &'p str,
    created: i64,
    last_used: Option<i64>,
    left: Option<u32>,
}

#[derive(Serialize)]
struct LockPart<'p> {
    lane: &'p str,
    seconds: Option<i64>,
}

/// One person, one line of `users --json`.
pub(crate) fn person(person: &Person) -> String {
    to_line(&person_line(person))
}

/// The person of `status USER --json`. A listing does not say where logins were confirmed from, nor what
/// happened.
pub(crate) fn person_in_full(person: &Person) -> String {
    let confirmed = person.confirmed.iter().map(|one| ConfirmedPart {
        service: &one.service,
        source: &one.source,
        at: one.at,
    });
    let notices = person.notices.iter().map(|one| NoticePart {
        at: one.at,
        kind: &one.kind,
        detail: &one.detail,
        told: unless_never(one.told),
    });
    to_line(&PersonLine {
        confirmed: Some(confirmed.collect()),
        notices: Some(notices.collect()),
        addresses: Some(person.addresses.iter().map(address_part).collect()),
        ..person_line(person)
    })
}

fn person_line(person: &Person) -> PersonLine<'_> {
    let factors = person.factors.iter().map(|factor| FactorPart {
        kind: &factor.kind,
        name: &factor.name,
        created: factor.created,
        last_used: unless_never(factor.last_used),
        left: (factor.kind == "recovery").then_some(factor.left),
    });
    let locks = person
        .locks
        .iter()
        .map(|lock| LockPart { lane: &lock.lane, seconds: (lock.seconds >= 0).then_some(lock.seconds) });
    PersonLine {
        user: &person.user,
        uid: person.uid,
        factors: factors.collect(),
        locks: locks.collect(),
        failures: person.failures,
        last_verified: unless_never(person.last_verified),
        confirmed: None,
        notices: None,
        addresses: None,
        overrides: person.overrides.iter().map(override_line).collect(),
        grace: (person.grace.until != 0)
            .then_some(GracePart { until: person.grace.until, laters: person.grace.laters }),
    }
}

#[derive(Serialize)]
struct ResetRequestLine<'r> {
    id: u32,
    user: &'r str,
    uid: u32,
    requester: &'r str,
    reason: &'r str,
    asked: i64,
    until: i64,
    approved: &'r [String],
    missing: u32,
}

/// One request, one line of `approve --json`.
pub(crate) fn reset_request(request: &ResetRequest) -> String {
    let ResetRequest { id, user, uid, requester, reason, asked, until, approved, missing } = request;
    to_line(&ResetRequestLine {
        id: *id,
        user,
        uid: *uid,
        requester,
        reason,
        asked: *asked,
        until: *until,
        approved,
        missing: *missing,
    })
}

/// The daemon, for `status --json`.
#[derive(Serialize)]
struct HostLine<'h> {
    version: &'h str,
    config: &'h str,
    policy_hash: &'h str,
    enrolled: u64,
    clock_behind: i64,
    /// Why the file on disk is not what is in force; empty where it is.
    trouble: Vec<&'h str>,
}

pub(crate) fn host(
    version: &str,
    config: &str,
    policy_hash: &str,
    enrolled: u64,
    clock_behind: i64,
) -> String {
    let mut words = config.lines();
    let config = words.next().unwrap_or_default();
    // The first line after it only says that reasons follow.
    let trouble = words.skip(1).collect();
    to_line(&HostLine { version, config, policy_hash, enrolled, clock_behind, trouble })
}

/// What `policy check --json` prints.
#[derive(Serialize)]
pub(crate) struct CheckLine<'c> {
    pub(crate) ok: bool,
    pub(crate) problems: &'c [String],
    pub(crate) warnings: &'c [String],
    /// Empty where the files could not be read as policies.
    pub(crate) policies: Vec<&'c str>,
    pub(crate) hash: Option<&'c str>,
}

pub(crate) fn check(line: &CheckLine<'_>) -> String {
    to_line(line)
}

/// What `policy explain --json` prints.
#[derive(Serialize)]
struct ExplanationLine<'e> {
    user: &'e str,
    service: &'e str,
    from: &'e str,
    decision: &'e str,
    policy: &'e str,
    certain: bool,
    walk: Vec<RulePart<'e>>,
    prompts: &'e [String],
    meets: &'e str,
    at: Option<i64>,
    overridden: Option<OverrideLine<'e>>,
}

#[derive(Serialize)]
struct RulePart<'e> {
    policy: &'e str,
    status: &'e str,
    result: &'e str,
    because: &'e str,
}

pub(crate) fn explanation(user: &str, service: &str, from: &str, at: i64, said: &Explanation) -> String {
    let walk = said.walk.iter().map(|rule| RulePart {
        policy: &rule.policy,
        status: &rule.status,
        result: &rule.applies,
        because: &rule.because,
    });
    to_line(&ExplanationLine {
        user,
        service,
        from,
        decision: &said.decision,
        policy: &said.policy,
        certain: said.certain,
        walk: walk.collect(),
        prompts: &said.prompts,
        meets: &said.meets,
        at: unless_never(at),
        overridden: said.overridden.first().map(override_line),
    })
}

/// What `policy impact --json` prints.
#[derive(Serialize)]
struct ImpactLine<'i> {
    draft: &'i str,
    in_force: &'i str,
    problems: &'i [String],
    warnings: &'i [String],
    since: i64,
    logins: u64,
    strangers: u64,
    people: u32,
    notes: &'i [String],
    changes: Vec<ChangePart<'i>>,
}

#[derive(Serialize)]
struct ChangePart<'i> {
    user: &'i str,
    uid: Option<i64>,
    services: &'i [String],
    logins: u64,
    before: &'i str,
    after: &'i str,
    policy: &'i str,
    certain: bool,
}

pub(crate) fn impact(impact: &Impact) -> String {
    let changes = impact.changes.iter().map(|change| ChangePart {
        user: &change.user,
        uid: (change.uid >= 0).then_some(change.uid),
        services: &change.services,
        logins: change.logins,
        before: &change.before,
        after: &change.after,
        policy: &change.policy,
        certain: change.certain,
    });
    to_line(&ImpactLine {
        draft: &impact.draft,
        in_force: &impact.in_force,
        problems: &[],
        warnings: &impact.warnings,
        since: impact.since,
        logins: impact.logins,
        strangers: impact.strangers,
        people: impact.people,
        notes: &impact.notes,
        changes: changes.collect(),
    })
}

/// What is printed for a draft that cannot be read.
pub(crate) fn no_impact(problems: &[String]) -> String {
    #[derive(Serialize)]
    struct Broken<'b> {
        problems: &'b [String],
    }
    to_line(&Broken { problems })
}

/// What `policy apply --json` prints.
#[derive(Serialize)]
struct AppliedLine<'a> {
    applied: bool,
    dry_run: bool,
    problems: &'a [String],
    weaker: &'a [String],
    warnings: &'a [String],
    /// Of what is in force afterwards, where the daemon came that far.
    hash: Option<&'a str>,
    /// Whether the file is other than what was in force before.
    changed: bool,
    /// Open sessions that have not passed a policy that asks now.
    sessions: Vec<SessionPart<'a>>,
    /// Why they are not known, or none is ended.
    sessions_trouble: Option<&'a str>,
}

#[derive(Serialize)]
struct SessionPart<'a> {
    id: Option<&'a str>,
    user: &'a str,
    uid: u32,
    service: &'a str,
    from: &'a str,
    tty: &'a str,
    leader: u32,
    since: i64,
    policy: &'a str,
    /// `ended`, `would-end`, `left-open`, `own`, `unknown-to-logind`, `uncertain` or `refused`.
    end: &'a str,
}

/// `ends` is each session with the word for what became of it.
pub(crate) fn applied(
    applied: &Applied,
    dry_run: bool,
    ends: &[(&Session, &'static str)],
    trouble: Option<&str>,
) -> String {
    let Applied { applied, weaker, warnings, hash, changed, .. } = applied;
    let sessions = ends.iter().map(|(one, end)| SessionPart {
        id: (!one.id.is_empty()).then_some(&*one.id),
        user: &one.user,
        uid: one.uid,
        service: &one.service,
        from: &one.from,
        tty: &one.tty,
        leader: one.leader,
        since: one.since,
        policy: &one.policy,
        end,
    });
    to_line(&AppliedLine {
        applied: *applied,
        dry_run,
        problems: &[],
        weaker,
        warnings,
        hash: Some(hash),
        changed: *changed,
        sessions: sessions.collect(),
        sessions_trouble: trouble,
    })
}

/// The same object for a file that cannot be applied.
pub(crate) fn broken(problems: &[String], dry_run: bool) -> String {
    to_line(&AppliedLine {
        applied: false,
        dry_run,
        problems,
        weaker: &[],
        warnings: &[],
        hash: None,
        changed: false,
        sessions: Vec::new(),
        sessions_trouble: None,
    })
}

/// What `enroll --json` prints first.
#[derive(Serialize)]
pub(crate) struct EnrollmentLine<'e> {
    pub(crate) uri: &'e str,
    pub(crate) secret: &'e str,
    pub(crate) issuer: &'e str,
    pub(crate) account: &'e str,
}

/// What `enroll --json` prints when the code was right.
#[derive(Serialize)]
pub(crate) struct RecoveryLine<'e> {
    pub(crate) recovery_codes: Vec<&'e str>,
}

/// A line with secrets, newline included, in memory that is wiped.
pub(crate) fn secret_line(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    // Roomy, so that no half-filled buffer is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 * 1024));
    // Strings and lists into memory: there is nothing that could fail.
    drop(serde_json::to_writer(&mut *bytes, value));
    let Ok(text) = std::str::from_utf8(&bytes) else { return Zeroizing::default() };
    let mut line = Zeroizing::new(String::with_capacity(32 * 1024));
    escape_into(&mut line, text);
    line.push('\n');
    Zeroizing::new(std::mem::take(&mut *line).into_bytes())
}

fn unless_never(seconds: i64) -> Option<i64> {
    (seconds != 0).then_some(seconds)
}

pub(crate) fn to_line(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut line = String::with_capacity(text.len());
    escape_into(&mut line, &text);
    line
}

/// JSON escapes C0 only; a terminal also obeys C1 and the marks that turn the text around.
/// They can stand in strings alone, where `\uXXXX` means the same.
fn escape_into(line: &mut String, text: &str) {
    for c in text.chars() {
        if is_unprintable(c) {
            line.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            line.push(c);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use countersign_protocol::manager::{Confirmed, Factor, Grace, Lock, Notice};

    pub(crate) fn example() -> Login {
        Login {
            id: 7,
            user: "alice".into(),
            uid: 1000,
            ruser: String::new(),
            service: "sshd".into(),
            program: "sshd".into(),
            tty: "ssh".into(),
            source: "10.0.0.9".into(),
            policy: "operators".into(),
            state: "verified".into(),
            factor: "totp".into(),
            reason: String::new(),
            started: 1_795_332_612,
            tries: 1,
            last_try: 1_795_332_620,
            confirmed: true,
        }
    }

    #[test]
    fn a_login_has_its_keys_in_their_order() {
        assert_eq!(
            login(&example()),
            "{\"id\":7,\"user\":\"alice\",\"uid\":1000,\"ruser\":\"\",\"service\":\"sshd\",\
             \"program\":\"sshd\",\"tty\":\"ssh\",\"source\":\"10.0.0.9\",\
             \"policy\":\"operators\",\"state\":\"verified\",\"factor\":\"totp\",\"reason\":\"\",\
             \"started\":1795332612,\"tries\":1,\"last_try\":1795332620,\"confirmed\":true}"
        );
        let unknown = Login { uid: -1, last_try: 0, ..example() };
        let line = login(&unknown);
        assert!(line.contains("\"uid\":null") && line.contains("\"last_try\":null"), "{line}");
    }

    #[test]
    fn inp_03_json_is_one_safe_line_that_means_the_same() {
        let user = "a\"\\\u{1b}[2J\n\u{9b}\u{7f}\u{202e}\u{feff}😀";
        let line = login(&Login { user: user.into(), ..example() });
        assert!(!line.chars().any(is_unprintable), "{line:?}");
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["user"], user);
    }

    #[test]
    fn a_person() {
        let one = Person {
            user: "alice".into(),
            uid: 1000,
            factors: vec![
                Factor { kind: "totp".into(), name: String::new(), created: 5, last_used: 0, left: 0 },
                Factor { kind: "recovery".into(), name: String::new(), created: 5, last_used: 9, left: 10 },
            ],
            locks: vec![Lock { lane: "other".into(), seconds: -1 }],
            failures: 3,
            last_verified: 0,
            confirmed: vec![Confirmed { service: "sshd".into(), source: "192.0.2.7".into(), at: 7 }],
            notices: vec![Notice { at: 8, kind: "enrolled".into(), detail: "app".into(), told: 0 }],
            overrides: vec![],
            grace: Grace::default(),
            addresses: vec![],
        };
        assert_eq!(
            person(&one),
            "{\"user\":\"alice\",\"uid\":1000,\"factors\":[\
             {\"kind\":\"totp\",\"name\":\"\",\"created\":5,\"last_used\":null,\"left\":null},\
             {\"kind\":\"recovery\",\"name\":\"\",\"created\":5,\"last_used\":9,\"left\":10}],\
             \"locks\":[{\"lane\":\"other\",\"seconds\":null}],\"failures\":3,\
             \"last_verified\":null,\"overrides\":[]}"
        );
        let full = person_in_full(&one);
        let more = "\"last_verified\":null,\
                    \"confirmed\":[{\"service\":\"sshd\",\"source\":\"192.0.2.7\",\"at\":7}],\
                    \"notices\":[{\"at\":8,\"kind\":\"enrolled\",\"detail\":\"app\",\"told\":null}],\
                    \"overrides\":[],\"addresses\":[]}";
        assert!(full.ends_with(more), "{full}");
    }
}
