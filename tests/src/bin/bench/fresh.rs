//! A login in a process of its own, loading included: `pam-host` from its start to its end.

use crate::cast::{Cast, Player, Route};
use crate::people;
use crate::report::Line;
use countersign_tests::host::Said;
use countersign_tests::{Outcome, Phase};
use serde_json::json;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Logins per player; few enough that everybody's codes suffice.
const LOGINS: usize = 150;

/// How long each player took, and how many right codes it refused.
pub(crate) fn measure(cast: &mut Cast) -> Vec<Line> {
    cast.forget_codes();
    let players: Vec<&Player> = cast.players.iter().filter(|p| p.stack.is_some()).collect();
    let mut lines: Vec<Line> = players.iter().map(|player| Line::new(player.label, player.role)).collect();
    for _ in 0..LOGINS {
        for (player, line) in players.iter().zip(&mut lines) {
            match one(player) {
                Some(took) => line.series.add(took),
                None => line.refused += 1,
            }
        }
    }
    lines
}

/// One program; `None` when it refused.
fn one(player: &Player) -> Option<Duration> {
    let (stack, Route::Stack { account, .. }) = (player.stack.as_ref()?, &player.route) else { return None };
    let (person, code) = player.codes.borrow_mut().take();
    let login = stack.visit(people::name(person));
    let phases: &[Phase] = if *account { &[Phase::Auth, Phase::Account] } else { &[Phase::Auth] };
    let login = serde_json::to_string(&login.phases(phases)).expect("a login is plain data");
    // The answer lies ready, so that no time passes between prompt and answer.
    let typed = json!({ "reply": { "Text": code.as_bytes() }, "gate": null });
    let input = format!("{login}\n{typed}\n");
    let program = std::env::current_exe().expect("the path of this program").with_file_name("pam-host");
    let began = Instant::now();
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start pam-host, built beside this program");
    drop(child.stdin.take().expect("piped").write_all(input.as_bytes()));
    let out = child.wait_with_output().expect("wait for pam-host");
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&out.stdout);
    let ended = said.lines().find_map(|line| match serde_json::from_str(line) {
        Ok(Said::Ended(outcome)) => Some(outcome),
        _ => None,
    });
    ended.filter(Outcome::passed).map(|_| took)
}
