//! What `countersignctl` knows of PAM stacks, held against the libpam of this machine: random stacks with
//! includes, substacks, jumps and resets, and the lines that libpam really calls in them.

use std::fs;
use std::path::Path;

use countersign_ctl::stack::{Code as Known, Entry, Folders, Phase, Stacks};
use countersign_tests::pam::Transaction;
use countersign_tests::{Reply, Shown, World, require};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const FOLDER: &str = "/etc/pam.d";

/// The codes that `pam_debug` can be told to return.
const CODES: [&str; 9] = [
    "success",
    "ignore",
    "auth_err",
    "new_authtok_reqd",
    "user_unknown",
    "perm_denied",
    "authinfo_unavail",
    "maxtries",
    "module_unknown",
];
const ACTIONS: [&str; 9] = ["ignore", "ok", "done", "bad", "die", "reset", "1", "2", "3"];
const WORDS: [&str; 6] = ["required", "requisite", "sufficient", "optional", "Required", "[required]"];

fn control() -> impl Strategy<Value = String> {
    let pair = (prop::sample::select(&CODES[..]), prop::sample::select(&ACTIONS[..]));
    let pairs = prop::collection::vec(pair, 0..4);
    let default = prop::option::of(prop::sample::select(&ACTIONS[..]));
    let bracketed = (pairs, default, any::<bool>()).prop_map(|(pairs, default, first)| {
        let mut words: Vec<String> = pairs.iter().map(|(code, action)| format!("{code}={action}")).collect();
        if let Some(action) = default {
            words.insert(if first { 0 } else { words.len() }, format!("default={action}"));
        }
        format!("[{}]", words.join(" "))
    });
    let broken = prop::sample::select(vec!["requried", "[success=0]", "[sucess=ok]", "[success]"]);
    prop_oneof![
        6 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
        6 => bracketed,
        1 => broken.prop_map(str::to_owned),
    ]
}

/// One line; `deeper` are the files that it may include, `last` what may end the reading of the file.
fn line(deeper: &'static [&'static str], last: &'static [&'static str]) -> BoxedStrategy<String> {
    let debug = (control(), prop::sample::select(&CODES[..]), 0..4u8).prop_map(|(control, code, look)| {
        let module = format!("pam_debug.so auth={code} acct={code}");
        match look {
            0 => format!("auth {control} {module} # said so\naccount {control} {module}"),
            1 => format!("  AUTH\t{control} \\\n   {module}\naccount {control} {module}"),
            2 => {
                format!("-auth {control} [pam_debug.so] [auth={code}]\n# nothing\naccount {control} {module}")
            }
            _ => format!("auth {control} {module}\naccount {control} {module}"),
        }
    });
    let fixed = (control(), prop::sample::select(vec!["pam_permit.so", "pam_deny.so", "pam_gone.so"]))
        .prop_map(|(control, module)| format!("auth {control} {module}"));
    if deeper.is_empty() {
        return prop_oneof![6 => debug, 1 => fixed].boxed();
    }
    let include = (prop::sample::select(deeper), 0..3u8).prop_map(|(name, how)| match how {
        0 => format!("@include {name}"),
        1 => format!("auth include {name}\naccount substack {name}"),
        _ => format!("auth substack {name}\naccount include {name}"),
    });
    let strange = [
        "auth include gone",
        "auth substack gone",
        "auth required",
        "auth",
        "auht required pam_permit.so",
        "session required pam_permit.so",
    ];
    let strange = prop::sample::select([&strange, last].concat());
    prop_oneof![8 => debug, 1 => fixed, 4 => include, 1 => strange.prop_map(str::to_owned)].boxed()
}

fn file(deeper: &'static [&'static str], last: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(line(deeper, last), 0..6).prop_map(|lines| lines.join("\n") + "\n")
}

/// What libpam returns, and what the modules said on the way. Nothing, where it does not start.
fn libpam(phase: Phase) -> Option<(i32, Vec<String>)> {
    let mut silent = |_: &Shown| Reply::Null;
    let mut transaction = Transaction::start(Path::new(FOLDER), "s", Some(b"root"), &mut silent).ok()?;
    let code = match phase {
        Phase::Auth => transaction.authenticate(),
        _ => transaction.account(),
    };
    Some((code.0, transaction.shown().into_iter().map(|shown| shown.text).collect()))
}

/// What we say that it does.
fn ours(phase: Phase) -> Option<(i32, Vec<String>)> {
    let stacks = Stacks::read(&Folders::alone(FOLDER), "s");
    if stacks.refused {
        return None;
    }
    let stack = stacks.phase(phase);
    let mut said = Vec::new();
    let run = stack.run(|entry| {
        let (code, word) = answer(&stack.entries[entry], phase);
        said.extend(word);
        code
    });
    Some((i32::from(run.result.number()), said))
}

/// What a module returns, and the message by which `pam_debug` tells it.
fn answer(entry: &Entry, phase: Phase) -> (Known, Option<String>) {
    let option = if phase == Phase::Auth { "auth=" } else { "acct=" };
    match entry.module().unwrap_or_default() {
        "pam_permit.so" => (Known::SUCCESS, None),
        "pam_deny.so" => (Known::AUTH_ERR, None),
        "pam_debug.so" => {
            let told = entry.args().iter().find_map(|arg| arg.strip_prefix(option));
            let code = told.and_then(Known::from_word).unwrap_or(Known::SUCCESS);
            (code, told.map(|word| format!("{option}{word}")))
        }
        _ => (Known::MODULE_UNKNOWN, None),
    }
}

/// The service and two files to include. Where an `@include` fails inside an `auth include`, Debian's libpam
/// goes by memory that it never set: so nothing ends the reading of what may be included that way.
fn files() -> impl Strategy<Value = [String; 3]> {
    const UNFINISHED: &str = "auth required pam_permit.so \\";
    (file(&["a", "b"], &["@include gone", UNFINISHED]), file(&["b"], &[UNFINISHED]), file(&[], &[]))
        .prop_map(|(own, a, b)| [own, a, b])
}

#[test]
fn adm_12_random_stacks_end_as_libpam_ends_them() {
    require!(Root);
    // Debian's `@include` looks into /etc/pam.d, whatever `pam_start_confdir` was told: so this is our own one.
    let world = World::enter();
    assert!(world.is_private());
    let other = "auth required pam_debug.so auth=maxtries\naccount required pam_debug.so acct=maxtries\n";
    fs::write(format!("{FOLDER}/other"), other).expect("our own /etc");
    let mut runner = TestRunner::new(Config { cases: 1000, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&files(), |texts| {
        for (name, text) in ["s", "a", "b"].iter().zip(&texts) {
            fs::write(format!("{FOLDER}/{name}"), text).expect("our own /etc");
        }
        for phase in [Phase::Auth, Phase::Account] {
            prop_assert_eq!(ours(phase), libpam(phase), "{:?} of\n{}", phase, texts.join("---\n"));
        }
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
}
