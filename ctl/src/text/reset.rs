//! The sentences about resets: at once, asked for, approved and refused.

pub(crate) const RESET_NEEDS_YES: &str = "reset asks before it removes anything, and standard input is no terminal.\n\
    Nothing was changed. Add --yes if you are sure.";
pub(crate) const APPROVE_NEEDS_YES: &str = "approve asks first, and standard input is no terminal. Nothing was changed.\n\
    Add --yes if you are sure.";

pub(crate) fn reset_question(user: &str, uid: u32, factors: &str) -> String {
    format!(
        "{user} (uid {uid}) has: {factors}.\n\
         All of it is removed. Where a policy requires a second factor, {user} cannot\n\
         log in until enrolled again.\n\
         Type yes to go on: "
    )
}

/// For whom what somebody has is not to be seen.
pub(crate) fn reset_question_unseen(user: &str) -> String {
    format!(
        "Every second factor of {user} is removed. Where a policy requires one, {user}\n\
         cannot log in until enrolled again.\n\
         Type yes to go on: "
    )
}

pub(crate) const NOT_RESET: &str = "not reset, because the answer was not yes. Nothing was changed.";

pub(crate) fn reset_done(user: &str, removed: u32) -> String {
    match removed {
        0 => format!("{user} had no factor; nothing was removed."),
        1 => format!("1 factor of {user} removed. To enroll again:  countersignctl enroll {user}"),
        n => format!("{n} factors of {user} removed. To enroll again:  countersignctl enroll {user}"),
    }
}

/// After a reset that left the sessions open.
pub(crate) fn sessions_stay(user: &str) -> String {
    format!("Open sessions of {user} go on. To end them:  loginctl terminate-user {user}")
}

pub(crate) fn no_sessions(user: &str) -> String {
    format!("{user} has no open session.")
}

/// Before the reason why sessions go on although they should not.
pub(crate) fn reset_but(user: &str) -> String {
    format!("{user} was reset, but sessions of {user} go on:\n")
}

pub(crate) fn request_made(id: u32, user: &str) -> String {
    format!(
        "Request {id}: reset {user}. {user} is told of it. It lapses after a day.\n\
         Somebody else who may approve it, and is not {user}, types:\n\
         countersignctl approve {id}"
    )
}

pub(crate) const NO_REQUESTS: &str =
    "Nobody asked for a reset. To ask:  countersignctl request-reset USER --reason TEXT";

/// What a request says, and the question.
pub(crate) fn approve_question(
    id: u32,
    user: &str,
    uid: u32,
    requester: &str,
    when: &str,
    why: &str,
) -> String {
    format!(
        "Request {id}: {requester} asked on {when} to reset {user} (uid {uid}).\n\
         Reason: {why}\n\
         Make sure that it is {user} who lost the factor: call back on a number you know.\n\
         Every factor of {user} is removed. Type yes to approve: "
    )
}

pub(crate) fn refuse_question(
    id: u32,
    user: &str,
    uid: u32,
    requester: &str,
    when: &str,
    why: &str,
) -> String {
    format!(
        "Request {id}: {requester} asked on {when} to reset {user} (uid {uid}).\n\
         Reason: {why}\n\
         Type yes to refuse it: "
    )
}

pub(crate) fn no_request(id: u32) -> String {
    format!(
        "there is no open request {id}: it was approved, refused or older than a day.\n\
         See:  countersignctl approve"
    )
}

pub(crate) const NOT_APPROVED: &str = "not done, because the answer was not yes. Nothing was changed.";

pub(crate) fn approved(id: u32, missing: u32) -> String {
    match missing {
        0 => format!("Request {id} approved and done. To enroll again:  countersignctl enroll USER"),
        1 => format!("Request {id} approved. One more person must approve it."),
        n => format!("Request {id} approved. {n} more people must approve it."),
    }
}

pub(crate) fn refused_request(id: u32) -> String {
    format!("Request {id} refused. The person is told of it.")
}
