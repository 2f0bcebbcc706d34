//! Everything that is measured, in order.

use crate::cast::{Cast, Role};
use crate::report::{self, Line};
use crate::sample::Timed;
use crate::stats::{Series, load};
use crate::{counts, crowd, decisions, fresh, mail, memory, people, targets};
use countersign_tests::World;
use countersign_tests::needs::Need;
use std::path::Path;
use std::time::Instant;

/// Where state lies: on a disk on every system that follows the file hierarchy standard, unlike `/tmp`.
const STATE: &str = "/var/tmp";
/// Times that everybody uses up their codes in turns, one login after the other.
const ROUNDS: usize = 3;
/// Logins of each player in a round; everybody gives two codes at any moment and mostly three.
const LOGINS: usize = 400;
/// Logins at the start of a round that are not measured: files and caches are cold.
const WARM_UP: usize = 5;

/// Logins of ours alone, for somebody who watches the processes with a profiler.
pub(crate) fn ours() {
    tempfile::env::override_temp_dir(Path::new(STATE)).expect("nobody asked for a directory before");
    let world = World::enter();
    people::settle();
    let mut cast = Cast::gather(&world);
    for _ in 0..10 {
        let before = load();
        report::counts(&counts::measure(&mut cast), &before);
    }
}

/// Policies alone.
pub(crate) fn decisions() {
    tempfile::env::override_temp_dir(Path::new(STATE)).expect("nobody asked for a directory before");
    let world = World::enter();
    report::opening(STATE);
    let before = load();
    let (decided, reloaded) = decisions::measure(&world);
    report::decisions(&decided, &reloaded, &before);
}

/// Codes by e-mail alone.
pub(crate) fn mail() {
    tempfile::env::override_temp_dir(Path::new(STATE)).expect("nobody asked for a directory before");
    let world = World::enter();
    people::settle();
    report::opening(STATE);
    let before = load();
    report::mail(&mail::measure(&world), &before);
}

/// What counts everybody, alone.
pub(crate) fn everybody() {
    tempfile::env::override_temp_dir(Path::new(STATE)).expect("nobody asked for a directory before");
    let world = World::enter();
    report::opening(STATE);
    crate::listings::everybody(&world);
}

/// Lists alone.
pub(crate) fn listings() {
    tempfile::env::override_temp_dir(Path::new(STATE)).expect("nobody asked for a directory before");
    let world = World::enter();
    report::opening(STATE);
    crate::listings::measure(&world);
}

/// Measures and prints.
pub(crate) fn all() {
    let needs = [
        Need::Root,
        Need::Tool("dbus-daemon"),
        Need::Tool("openssl"),
        Need::Tool("postfix"),
        Need::Tool("dovecot"),
        Need::PamModule("pam_google_authenticator.so"),
        Need::PamModule("pam_oath.so"),
    ];
    let missing: Vec<String> = needs.iter().filter_map(|need| need.missing()).collect();
    assert!(missing.is_empty(), "the benchmark {}", missing.join(", "));
    tempfile::env::override_temp_dir(Path::new(STATE)).expect("nobody asked for a directory before");
    let began = Instant::now();
    let world = World::enter();
    people::settle();
    report::opening(STATE);
    let mut cast = Cast::gather(&world);
    let before = load();
    let one_by_one = one_by_one(&mut cast);
    report::one_by_one(&one_by_one, &before);
    let before = load();
    let fresh = fresh::measure(&mut cast);
    report::fresh(&fresh, &before);
    let before = load();
    let crowd = crowd::measure(&mut cast);
    report::crowd(&crowd, &before);
    let before = load();
    let counts = counts::measure(&mut cast);
    let busy = memory::Memory::of(cast.ours.daemon.pid());
    report::counts(&counts, &before);
    drop(cast);
    let before = load();
    let grown = memory::measure(&world);
    report::memory(&grown, busy, &before);
    let before = load();
    let (decided, reloaded) = decisions::measure(&world);
    report::decisions(&decided, &reloaded, &before);
    let before = load();
    report::mail(&mail::measure(&world), &before);
    report::size();
    targets::print(&one_by_one, &fresh, &crowd, &counts, &grown);
    println!("\nTook {:.0} s.", began.elapsed().as_secs_f64());
}

/// A login of each, then again: what disturbs one disturbs all.
fn one_by_one(cast: &mut Cast) -> Vec<Line> {
    let mut lines: Vec<Line> =
        cast.players.iter().map(|player| Line::new(player.label, player.role)).collect();
    for _ in 0..ROUNDS {
        cast.forget_codes();
        for n in 0..LOGINS {
            let mut without_account = None;
            // Backwards: one login of ours gives both lines, with its account phase and without.
            for (player, line) in cast.players.iter().zip(&mut lines).rev() {
                let timed = without_account.take().filter(|_| player.role == Role::Ours);
                let timed = timed.unwrap_or_else(|| player.turn());
                match (timed.passed, n >= WARM_UP) {
                    (true, true) => line.series.add(timed.whole),
                    (true, false) => {}
                    (false, _) => line.refused += 1,
                }
                if player.role == Role::OursWithAccount {
                    without_account = Some(Timed { whole: timed.without_account, ..timed });
                }
            }
        }
    }
    lines
}

/// The series of one role.
pub(crate) fn series(lines: &[Line], role: Role) -> Series {
    lines.iter().find(|line| line.role == role).map(|line| line.series.clone()).unwrap_or_default()
}
