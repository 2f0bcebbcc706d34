//! `policy explain USER`: the walk through the policies, and what comes of it.

use countersign_protocol::manager::{Explanation, ManagerProxy, Rule};

use crate::cli::{From, PolicyExplain};
use crate::date::Date;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::overrides::LOCK;
use crate::table::{self, Column};
use crate::terminal::{Screen, safe};
use crate::{json, overrides, text, time};

const COLUMNS: &[Column] = &[
    Column { title: "POLICY", narrowest: 16, rank: 0 },
    Column { title: "STATUS", narrowest: 7, rank: 2 },
    Column { title: "RESULT", narrowest: 6, rank: 1 },
    Column { title: "BECAUSE", narrowest: 12, rank: 3 },
];

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: PolicyExplain) -> Result<(), Failure> {
    let from = match args.from {
        None | Some(From::Local) => "local".to_owned(),
        Some(From::Unknown) => "unknown".to_owned(),
        Some(From::Address(address)) => address.to_string(),
    };
    // On the bus this machine is the empty address.
    let asked = if from == "local" { "" } else { &from };
    let at = args.at.map(Date::start).unwrap_or_default();
    let said = manager.explain_policy(&args.user, &args.service, asked, at).await?;
    let mut out = Output::stdout();
    if args.json {
        out.line(&json::explanation(&args.user, &args.service, &from, at, &said))?;
        return out.flush();
    }
    for line in lines(&args, at, &said, Screen::stdout())? {
        out.line(&line)?;
    }
    out.flush()
}

fn lines(args: &PolicyExplain, at: i64, said: &Explanation, screen: Screen) -> Result<Vec<String>, Failure> {
    let user = screen.show(&args.user);
    let mut lines =
        vec![text::explained(&user, &screen.show(&args.service), &place(args.from)), String::new()];
    if at != 0 {
        lines.insert(1, text::explained_at(&time::utc(at)));
    }
    for one in &said.overridden {
        lines.push(text::explained_override(&user, &overrides::sentence(one, screen)));
        lines.push(text::BUT_FOR_THAT.to_owned());
        lines.push(String::new());
    }
    if !said.walk.is_empty() {
        let rows: Vec<Vec<String>> = said.walk.iter().map(row).collect();
        lines.extend(table::lines(COLUMNS, &rows, screen));
        lines.push(String::new());
    }
    let Some(decision) = text::decision(&said.decision, &user, &screen.show(&said.policy)) else {
        let strange = text::strange_answer(&safe(&said.decision));
        return Err(Failure::new(Exit::Unavailable, strange));
    };
    lines.push(decision);
    if !said.certain {
        lines.push(text::NOT_CERTAIN.to_owned());
    }
    if said.overridden.iter().any(|one| one.what == LOCK) {
        lines.push(text::locked_all_the_same(&user));
    } else if said.prompts.is_empty() {
        lines.push(text::sees_nothing(&user));
    } else {
        lines.push(text::sees(&user));
        let shown = said.prompts.iter().flat_map(|prompt| prompt.lines());
        lines.extend(shown.map(|line| text::part(screen.show(line).trim_end())));
    }
    Ok(lines)
}

fn row(rule: &Rule) -> Vec<String> {
    let because = text::because(&rule.applies, &rule.because).unwrap_or(&rule.because);
    vec![rule.policy.clone(), rule.status.clone(), rule.applies.clone(), because.to_owned()]
}

/// Where the login comes from; with nothing said, how to say it.
fn place(from: Option<From>) -> String {
    match from {
        None => text::FROM_HERE_BY_DEFAULT.to_owned(),
        Some(From::Local) => text::FROM_HERE.to_owned(),
        Some(From::Unknown) => text::FROM_UNKNOWN.to_owned(),
        Some(From::Address(address)) => text::from_address(&address.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_protocol::manager::Override;

    fn args(from: Option<From>) -> PolicyExplain {
        PolicyExplain { user: "alice".into(), service: "sshd".into(), from, at: None, json: false }
    }

    fn rule(policy: &str, applies: &str, because: &str, status: &str) -> Rule {
        Rule {
            policy: policy.into(),
            applies: applies.into(),
            because: because.into(),
            status: status.into(),
        }
    }

    fn said(decision: &str, policy: &str, walk: Vec<Rule>, prompts: &[&str]) -> Explanation {
        Explanation {
            decision: decision.into(),
            policy: policy.into(),
            certain: !walk.iter().any(|rule| rule.applies == "may"),
            walk,
            prompts: prompts.iter().map(|prompt| (*prompt).to_owned()).collect(),
            meets: "code".into(),
            overridden: vec![],
        }
    }

    fn shown(from: Option<From>, said: &Explanation) -> String {
        let screen = Screen { width: Some(80), utf8: true };
        let lines = lines(&args(from), 0, said, screen).expect("a known decision");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
        lines.join("\n")
    }

    #[test]
    fn a_certain_hit() {
        let walk = vec![
            rule("robots", "miss", "person", "off"),
            rule("office", "miss", "network", "report"),
            rule("console", "miss", "service", "enforce"),
            rule("operators", "hit", "", "enforce"),
        ];
        let said = said("required", "operators", walk, &["Verification code: "]);
        assert_eq!(
            shown(Some(From::Address([192, 0, 2, 7].into())), &said),
            "A login of alice to sshd from 192.0.2.7.\n\
             \n\
             POLICY     STATUS   RESULT  BECAUSE\n\
             robots     off      miss    not this person\n\
             office     report   miss    not this network\n\
             console    enforce  miss    not this service\n\
             operators  enforce  hit\n\
             \n\
             alice must show a second factor: policy \"operators\" decides.\n\
             After the first factor alice sees:\n    Verification code:"
        );
    }

    #[test]
    fn what_is_not_certain_and_what_was_assumed() {
        let walk = vec![rule("operators", "may", "person", "enforce"), rule("rest", "hit", "", "off")];
        let said = said("required", "operators", walk, &["You need a second factor.", "Room 12.\u{1b}[2J"]);
        assert_eq!(
            shown(None, &said),
            "A login of alice to sshd from this machine (remote: add --from ADDRESS).\n\
             \n\
             POLICY     STATUS   RESULT  BECAUSE\n\
             operators  enforce  may     person not certain\n\
             rest       off      hit\n\
             \n\
             alice must show a second factor: policy \"operators\" decides.\n\
             Not everything could be determined, and what cannot be known counts as required.\n\
             After the first factor alice sees:\n    You need a second factor.\n    Room 12.\\x1b[2J"
        );
    }

    #[test]
    fn what_was_decided_of_the_person_comes_first() {
        let mut said = said("exempt", "operators", vec![rule("operators", "hit", "", "enforce")], &[]);
        said.overridden = vec![Override {
            user: "alice".into(),
            uid: 1000,
            what: "exempt".into(),
            until: 1_801_440_000,
            left: 60,
            reason: "phone\u{1b} lost".into(),
            by: "root".into(),
            by_uid: 0,
            made: 1_795_332_612,
        }];
        let screen = Screen { width: Some(80), utf8: true };
        let shown = lines(&args(Some(From::Local)), 1_801_353_600, &said, screen).expect("a known decision");
        assert_eq!(
            shown.join("\n"),
            "A login of alice to sshd from this machine.\n\
             As if at 2027-01-31 00:00:00Z.\n\
             \n\
             alice by name: exempt until the end of 2027-01-31 (UTC), by root: phone\\x1b lost.\n\
             That comes before the policies, which say:\n\
             \n\
             POLICY     STATUS   RESULT  BECAUSE\n\
             operators  enforce  hit\n\
             \n\
             alice is not asked, being exempt.\n\
             After the first factor alice sees no further prompt."
        );
    }

    #[test]
    fn every_decision_has_its_sentence() {
        for (decision, start) in [
            ("required", "alice must show a second factor: policy \"p\" decides."),
            ("required-if-enrolled", "alice must show a second factor if enrolled: policy \"p\" decides."),
            ("report", "alice is not asked: policy \"p\" decides and only reports."),
            ("off", "alice is not asked: policy \"p\" decides and is off."),
            ("no-policy", "alice is not asked: no policy applies."),
            ("exempt", "alice is not asked, being exempt."),
        ] {
            let shown =
                shown(Some(From::Local), &said(decision, "p", vec![rule("p", "hit", "", "off")], &[]));
            assert!(shown.contains(&format!("\n\n{start}\n")), "{shown}");
            assert!(shown.ends_with("alice sees no further prompt."), "{shown}");
        }
        let screen = Screen { width: Some(80), utf8: true };
        assert!(lines(&args(None), 0, &said("perhaps", "p", vec![], &[]), screen).is_err());
    }
}
