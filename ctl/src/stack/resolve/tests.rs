use super::*;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of stack files, gone with the test.
pub(in crate::stack) struct Dir(PathBuf);

impl Dir {
    pub(in crate::stack) fn of(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("countersign-stack-{}-{number}", std::process::id()));
        let pam = dir.join("etc/pam.d");
        fs::create_dir_all(&pam).expect("a private folder");
        for (name, text) in files {
            fs::write(pam.join(name), text).expect("write a stack");
        }
        Self(dir)
    }

    pub(in crate::stack) fn read(&self, service: &str) -> Stacks {
        Stacks::read(&Folders::below(&self.0), service)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn modules(stack: &Stack) -> Vec<String> {
    let show = |entry: &Entry| match &entry.kind {
        Kind::Module { module, .. } => format!("{}{module}", ">".repeat(entry.level)),
        Kind::Substack { name } => format!("{}({name})", ">".repeat(entry.level)),
        Kind::MustFail => "!".to_owned(),
    };
    stack.entries.iter().map(show).collect()
}

fn faults(stacks: &Stacks) -> Vec<String> {
    stacks.faults.iter().map(ToString::to_string).collect()
}

#[test]
fn includes_of_each_kind_are_followed() {
    let dir = Dir::of(&[
        (
            "s",
            "auth required a.so\n@include all\naccount include acc\nauth substack sub\nauth required z.so\n",
        ),
        ("all", "auth optional b.so\nsession required s.so\n"),
        ("acc", "auth required never.so\naccount required c.so\n"),
        ("sub", "auth required d.so\nauth substack deep\naccount required never.so\n"),
        ("deep", "auth required e.so x=[y]\n"),
        ("other", "auth required pam_deny.so\npassword required o.so\n"),
    ]);
    let stacks = dir.read("s");
    assert_eq!(faults(&stacks), [""; 0]);
    let auth = stacks.phase(Phase::Auth);
    assert_eq!(modules(auth), ["a.so", "b.so", "(sub)", ">d.so", ">(deep)", ">>e.so", "z.so"]);
    assert_eq!(modules(stacks.phase(Phase::Account)), ["c.so"]);
    assert_eq!(modules(stacks.phase(Phase::Session)), ["s.so"]);
    let password = stacks.phase(Phase::Password);
    assert_eq!((modules(password), password.from_other), (vec!["o.so".to_owned()], true));
    let deep = &auth.entries[5];
    assert_eq!(deep.place.line, 1);
    assert_eq!(deep.via.iter().map(|place| place.line).collect::<Vec<_>>(), [4, 2]);
    assert_eq!(deep.args(), ["x=[y]"]);
}

#[test]
fn a_service_without_a_file_is_other() {
    let dir = Dir::of(&[("other", "auth required pam_deny.so\n")]);
    let stacks = dir.read("nobody");
    assert_eq!((stacks.file.is_none(), faults(&stacks).len()), (true, 0));
    assert!(stacks.phase(Phase::Auth).from_other);
    let none = Dir::of(&[]).read("nobody");
    assert_eq!(none.faults.iter().map(|fault| &fault.problem).collect::<Vec<_>>(), [&Problem::NoService]);
}

#[test]
fn what_is_wrong_is_said_with_file_and_line_and_fails_in_the_stack() {
    let dir = Dir::of(&[
        (
            "s",
            "auth requried a.so\n\nauht required b.so\nauth include gone\nauth required\nauth include loop\n",
        ),
        ("loop", "auth required c.so\nauth include loop\n"),
        ("cut", "auth required a.so\nauth required \\\n"),
    ]);
    let stacks = dir.read("s");
    assert_eq!(
        faults(&stacks),
        [
            "/etc/pam.d/s:1: \"requried\": no return value of that name",
            "/etc/pam.d/s:3: \"auht\" is no management group",
            "/etc/pam.d/s:4: includes \"gone\", which is not there",
            "/etc/pam.d/s:5: control or module is missing",
            "/etc/pam.d/loop:2: includes \"loop\", which includes this file",
        ]
    );
    assert_eq!(modules(stacks.phase(Phase::Auth)), ["a.so", "!", "!", "!", "c.so", "!"]);
    assert_eq!(faults(&dir.read("cut")), ["/etc/pam.d/cut:2: the file ends within a line"]);
    assert!(dir.read("cut").refused && !stacks.refused);
    assert_eq!(modules(dir.read("cut").phase(Phase::Auth)), [""; 0]);
}

#[test]
fn a_leading_dash_is_a_module_all_the_same() {
    let dir = Dir::of(&[("s", "-auth optional gone.so\n")]);
    let stacks = dir.read("s");
    let entry = &stacks.phase(Phase::Auth).entries[0];
    assert!(matches!(&entry.kind, Kind::Module { quiet: true, .. }));
}

#[test]
fn debians_include_fails_with_the_whole_file() {
    let dir = Dir::of(&[
        ("s", "auth required a.so\n@include gone\n"),
        ("t", "auth include s\nauth required b.so\n"),
        ("u", "@include s\nauth required b.so\n"),
    ]);
    assert!(dir.read("s").refused);
    let outer = dir.read("t");
    assert_eq!(modules(outer.phase(Phase::Auth)), ["a.so", "!", "b.so"]);
    assert!(dir.read("u").refused);
    assert_eq!(faults(&outer), ["/etc/pam.d/s:2: includes \"gone\", which is not there"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 60, ..Default::default() })]

    /// Whatever stands in the files, there is an answer, and soon.
    #[test]
    fn any_text_is_read_to_an_end(
        texts in proptest::collection::vec("((auth|account|-auth|@include|\\[|\\]|=|[0-9]|done|die|reset|success|default|include|substack|[ab]|#|\\\\|\\PC)[ \n\t]?){0,40}", 3)
    ) {
        let dir = Dir::of(&[("s", &texts[0]), ("a", &texts[1]), ("b", &texts[2])]);
        let stacks = dir.read("s");
        for phase in Phase::ALL {
            let found = stacks.phase(phase).explore(&crate::stack::Assume::default());
            assert!(found.is_complete() || stacks.phase(phase).entries.len() > 20);
        }
    }
}

#[test]
fn a_pipe_in_place_of_a_file_keeps_nobody_waiting() {
    let dir = Dir::of(&[("s", "@include pipe\n")]);
    let pipe = dir.0.join("etc/pam.d/pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    assert!(matches!(dir.read("s").faults[0].problem, Problem::Unreadable(_, _)));
}
