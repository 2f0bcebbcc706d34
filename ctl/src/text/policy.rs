//! The sentences of `policy`.

// ---- check ----

pub(crate) fn group_unanswered(group: &str, error: &str) -> String {
    format!(
        "group \"{group}\" cannot be looked up ({error}); \
         try again, or leave it out with --no-groups"
    )
}

pub(crate) fn warning(warning: &str) -> String {
    format!("warning: {warning}")
}

pub(crate) fn no_problems(policies: usize, files: &[String], hash: &str) -> String {
    let policies = count(policies, "policy", "policies");
    let place = match files {
        [file] => file.clone(),
        files => count(files.len(), "file", "files"),
    };
    format!("No problems: {policies} in {place} (hash {hash}).")
}

pub(crate) fn problems(problems: usize) -> String {
    format!("{}. countersignd would not put this into force.", count(problems, "problem", "problems"))
}

pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

// ---- explain ----

pub(crate) const FROM_HERE: &str = "from this machine.";
pub(crate) const FROM_HERE_BY_DEFAULT: &str = "from this machine (remote: add --from ADDRESS).";
pub(crate) const FROM_UNKNOWN: &str = "from something remote that is no address.";

pub(crate) fn from_address(address: &str) -> String {
    format!("from {address}.")
}

pub(crate) fn explained(user: &str, service: &str, place: &str) -> String {
    format!("A login of {user} to {service} {place}")
}

pub(crate) fn explained_at(time: &str) -> String {
    format!("As if at {time}.")
}

/// Why a policy did not certainly apply; `None` for what a newer daemon says.
pub(crate) fn because(applies: &str, because: &str) -> Option<&'static str> {
    match (applies, because) {
        ("miss", "service") => Some("not this service"),
        ("miss", "network") => Some("not this network"),
        ("miss", "person") => Some("not this person"),
        ("may", "network") => Some("network not certain"),
        ("may", "person") => Some("person not certain"),
        _ => None,
    }
}

/// What the daemon's word means; `None` for what a newer daemon says.
pub(crate) fn decision(decision: &str, user: &str, policy: &str) -> Option<String> {
    let decides = format!("policy \"{policy}\" decides");
    match decision {
        "required" if policy.is_empty() => Some(format!("{user} must show a second factor.")),
        "required" => Some(format!("{user} must show a second factor: {decides}.")),
        "required-if-enrolled" => Some(format!("{user} must show a second factor if enrolled: {decides}.")),
        "report" => Some(format!("{user} is not asked: {decides} and only reports.")),
        "off" => Some(format!("{user} is not asked: {decides} and is off.")),
        "exempt" => Some(format!("{user} is not asked, being exempt.")),
        "no-policy" => Some(format!("{user} is not asked: no policy applies.")),
        _ => None,
    }
}

pub(crate) const NOT_CERTAIN: &str =
    "Not everything could be determined, and what cannot be known counts as required.";

/// Whatever the policies say.
pub(crate) fn locked_all_the_same(user: &str) -> String {
    format!("No answer lets {user} in. To end that:  countersignctl unlock {user} --reason TEXT")
}

pub(crate) fn sees(user: &str) -> String {
    format!("After the first factor {user} sees:")
}

pub(crate) fn sees_nothing(user: &str) -> String {
    format!("After the first factor {user} sees no further prompt.")
}

/// One line of a list.
pub(crate) fn part(line: &str) -> String {
    format!("    {line}")
}

// ---- apply ----

pub(crate) const APPLY_NEEDS_YES: &str = "apply --accept-weaker asks first, and standard input is no\n\
    terminal. Nothing was changed. See first:  countersignctl policy apply --dry-run\n\
    Add --yes if you are sure.";

/// What holds of a draft where it lies, and must not where it is installed.
pub(crate) fn would_be_refused(problem: &impl std::fmt::Display) -> String {
    format!("{problem} (before it is installed)")
}

pub(crate) const WHY_WEAKER: &str = "Why, for the log: ";

pub(crate) const REFUSED_WITHOUT_REASON: &str = "not applied, without a reason";

pub(crate) const BROKEN: &str = "not applied because of these problems; the running policy stays.\n\
    Correct the file, then:  countersignctl policy check";

pub(crate) fn weaker_question(sentences: &str) -> String {
    format!(
        "The policy file protects less than the policy in force:\n{sentences}\n\
         Type yes to apply it: "
    )
}

pub(crate) const NOT_ACCEPTED: &str =
    "not applied, because the answer was not yes. The running policy stays.";

pub(crate) fn not_applied(sentences: &str, dry_run: bool) -> String {
    let (verb, state) = if dry_run {
        ("would not be", "Nothing was changed.")
    } else {
        ("was not", "The running policy stays.")
    };
    format!(
        "the policy file {verb} applied, because it protects less\n\
         than the policy in force:\n{sentences}\n\
         {state} If that is meant, type:\n\
         countersignctl policy apply --accept-weaker"
    )
}

pub(crate) fn weaker(dry_run: bool, changed: bool) -> &'static str {
    match (dry_run, changed) {
        (true, _) => "It protects less than the policy in force:",
        (false, false) => "It protects less than the policy before it:",
        (false, true) => "The file changed since you were asked. It protects less here too:",
    }
}

pub(crate) const WOULD_BE_APPLIED: &str = "The policy file would be applied. Nothing was changed (dry run).";

pub(crate) const WOULD_BE_UNCHANGED: &str =
    "The policy file is what is in force already. Nothing was changed (dry run).";

pub(crate) fn applied(hash: &str) -> String {
    format!("Policy applied (hash {hash}).")
}

pub(crate) fn unchanged(hash: &str) -> String {
    format!("Policy unchanged: the file is what is in force already (hash {hash}).")
}
