//! Coming to a factor inside a login: who may, what is shown, and that nothing sticks before the
//! account phase.

mod bounds;
mod first;
mod golden;
mod invited;
mod later;
mod lost;

use countersign_tests::{Fixture, LogRow, Secret};

/// Everybody in `mfa-required` enrolls at their next login; `more` goes into that policy.
pub(crate) fn config(more: &str) -> String {
    format!(
        r#"issuer = "Acme"
help = "Lost your phone? Ask the helpdesk, room 12."

[[policy]]
name = "operators"
groups = ["mfa-required"]
{more}
"#
    )
}

pub(crate) const AT_LOGIN: &str = r#"enroll = "at-login""#;

/// What the machine must have for any of these.
macro_rules! require_all {
    () => {
        countersign_tests::require!(
            Root,
            Staged("countersignd"),
            Staged("countersignctl"),
            Staged("pam_countersign.so")
        )
    };
}
pub(crate) use require_all;

/// Factors of a person by kind, as `users` lists them.
pub(crate) fn factors(t: &Fixture, user: &str) -> Vec<String> {
    let people = t.daemon.ctl().run(&["users", "--json"]).ok().json();
    people
        .iter()
        .filter(|p| p["user"] == user)
        .flat_map(|p| p["factors"].as_array().expect("a list").clone())
        .map(|f| f["kind"].as_str().expect("a kind").to_owned())
        .collect()
}

/// State, reason, factor and whether it was confirmed, of a person's last login.
pub(crate) fn last(t: &Fixture, user: &str) -> (String, String, String, bool) {
    let LogRow { state, reason, factor, confirmed, .. } = t.daemon.log(user).pop().expect("a login");
    (state, reason, factor, confirmed)
}

pub(crate) fn ended(
    state: &str,
    reason: &str,
    factor: &str,
    confirmed: bool,
) -> (String, String, String, bool) {
    (state.into(), reason.into(), factor.into(), confirmed)
}

/// The harness' usual end: a fresh code lets the person in.
pub(crate) fn assert_fresh_code_passes(t: &Fixture, user: &str, app: &Secret) {
    let fresh = t.cs().login(user, [app.fresh_code()]);
    assert!(fresh.passed(), "a fresh code of {user} passes: {fresh:?}");
}
