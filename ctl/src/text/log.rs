//! The attempt log, the record of acts, and what proves them.

pub(crate) const NO_LOGINS: &str = "No logins.";
pub(crate) const NO_ACTS: &str = "Nothing was done.";

pub(crate) fn newest_only(limit: u64) -> String {
    format!("(The newest {limit}. For more:  countersignctl log --limit N)")
}

pub(crate) fn newest_acts_only(limit: u64) -> String {
    format!("(The newest {limit}. For more:  countersignctl log acts --limit N)")
}

pub(crate) const PROVING: &str = "Proving the log";

pub(crate) fn proving(done: u64, rows: u64) -> String {
    format!("Proving the log: {done} of {rows} rows")
}

pub(crate) fn whole(rows: u64, last: &str) -> String {
    format!(
        "The log is whole: {rows} rows and links, none changed, missing or added.\n\
         Last link:  {last}\n\
         Noted elsewhere, it proves later that nothing up to now is gone:\n\
         countersignctl log verify --noted {last}"
    )
}

pub(crate) fn accepted_up_to(id: i64) -> String {
    format!("Logins up to {id} are vouched for by nobody: they were accepted as they were.")
}

pub(crate) const NOTED_MATCHED: &str = "The link that was noted is there: nothing before it is gone.";

pub(crate) const NOTED_GONE: &str = "The link that was noted was NOT compared: it is older than this log, which begins\n\
     behind it because of its age, its number, or because somebody accepted it.";

pub(crate) const NOT_COMPARED: &str = "the link that was noted is older than this log, so it proves nothing.\n\
     What was accepted, and by whom:  countersignctl log acts --verb AcceptLog\n\
     Note the last link anew, and more often than the log is cut.";

pub(crate) fn placed(when: &str, by: &str, what: &str, act: i64) -> String {
    format!(
        "Act {act}: at {when} {by} put a database in place while nothing ran:\n\
         {what}.\n\
         What was logged from then until the restore is in the journal alone."
    )
}

pub(crate) const LOG_BROKEN: &str = "the log is NOT what was written.\n\
     Somebody with write access to the state directory changed it, or the disk did.\n\
     The journal has a copy:  journalctl -t countersignd -o verbose\n\
     Once it is looked into:  countersignctl log accept --reason TEXT";

pub(crate) const AND_MORE: &str = "(There is more. Only the first are named.)";

pub(crate) const ODD_LABEL: &str = "a label that is no name";

pub(crate) const ACCEPT_NEEDS_YES: &str = "what was done to the log is accepted by somebody at a terminal, or with --yes.\n\
     See first:  countersignctl log verify";

pub(crate) const ACCEPT_QUESTION: &str = "Rows of up to now are vouched for by nobody from then on.\n\
     Type yes to accept the log as it is: ";

pub(crate) const LOG_NOT_ACCEPTED: &str = "not done, because the answer was not yes. Nothing was changed.";

pub(crate) const LOG_ACCEPTED: &str = "Accepted. From here on the log is proven again.";
