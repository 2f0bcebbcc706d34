//! What was to be reached, and whether it was.

use crate::cast::Role;
use crate::counts::Counts;
use crate::crowd::Rush;
use crate::memory::Grown;
use crate::report::Line;
use crate::run::series;
use crate::stats::ratio;

/// Whether a figure must stay below its bound or rise above it.
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// One line per target.
pub(crate) fn print(
    one_by_one: &[Line],
    fresh: &[Line],
    crowd: &[(&'static str, Role, Rush)],
    counts: &Counts,
    grown: &[Grown],
) {
    use Bound::{AtLeast, AtMost};
    println!("\nTargets");
    let of = |lines: &[Line], role| series(lines, role).median();
    let compare = |lines: &[Line], role, to| ratio(of(lines, role), of(lines, to));
    let ours = Role::Ours;
    tell("a login / google-authenticator's", compare(one_by_one, ours, Role::Google), &AtMost(1.3));
    tell("a login / the floor", compare(one_by_one, ours, Role::Floor), &AtMost(1.5));
    let rate = |role| crowd.iter().find(|(_, r, _)| *r == role).and_then(|(_, _, rush)| rush.rate());
    tell("32 at once / google-authenticator's rate", ratio(rate(ours), rate(Role::Google)), &AtLeast(1.2));
    tell("a new process / google-authenticator's", compare(fresh, ours, Role::Google), &AtMost(1.3));
    let login = |n: usize| grown.get(n).and_then(|one| one.logins.median());
    tell("a login with 100,000 enrolled / with 10", ratio(login(1), login(0)), &AtMost(1.1));
    let resident = |n: usize| grown.get(n).map(|one| one.memory.resident as f64 / 1024.0);
    tell("MiB resident with 10 people", resident(0), &AtMost(12.0));
    tell("MiB resident with 100,000 people", resident(1), &AtMost(20.0));
    let calls = counts.calls.as_ref().map(|calls| calls.to_daemon - 1.0);
    tell("D-Bus calls before Confirm", calls, &AtMost(2.0));
    tell("durable commits a login", Some(counts.commits), &AtMost(1.0));
}

fn tell(what: &str, figure: Option<f64>, bound: &Bound) {
    let (reached, bound) = match bound {
        Bound::AtMost(most) => (figure.map(|f| f <= *most), format!("at most {most}")),
        Bound::AtLeast(least) => (figure.map(|f| f >= *least), format!("at least {least}")),
    };
    let word = match reached {
        Some(true) => "reached",
        Some(false) => "NOT reached",
        None => "not measured",
    };
    let figure = figure.map_or("-".to_owned(), |f| format!("{f:.2}"));
    println!("  {word:13}{what:41}{figure:>7}  ({bound})");
}
