use super::*;
use crate::stack::resolve::Stacks;
use crate::stack::resolve::tests::Dir;
use proptest::prelude::*;

const DEBIAN: &str = "auth [success=1 default=ignore] pam_unix.so nullok\n\
                      auth requisite pam_deny.so\nauth required pam_permit.so\nauth optional pam_cap.so\n\
                      account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n\
                      account requisite pam_deny.so\naccount required pam_permit.so\n";
const RED_HAT: &str = "auth required pam_env.so\n\
                       auth [default=1 ignore=ignore success=ok] pam_localuser.so\n\
                       auth sufficient pam_unix.so nullok\n\
                       auth sufficient pam_sss.so forward_pass\nauth required pam_deny.so\n";
const OURS_LINE: &str = "auth required pam_countersign.so\naccount required pam_countersign.so\n";

fn service(common: &str, own: &str) -> Stacks {
    Dir::of(&[("common", common), ("s", own), ("ours", OURS_LINE)]).read("s")
}

fn auth(common: &str, own: &str) -> Explored {
    service(common, own).phase(Phase::Auth).explore(&Assume::default())
}

#[test]
fn debian_with_our_line_after_the_include() {
    let found = auth(DEBIAN, "@include common\n@include ours\n");
    assert!(found.is_complete() && found.after_first_factor());
    assert_eq!(found.skipped(), None);
    assert_eq!(found.in_spite_of_ours(), None);
    assert!(found.can_succeed_with_ours());
}

#[test]
fn red_hat_runs_us_after_a_wrong_password_in_a_substack_and_not_at_all_in_an_include() {
    let found = auth(RED_HAT, "auth substack common\n@include ours\n");
    assert!(found.reaches_ours() && !found.after_first_factor());
    assert!(found.asked_without_factor().is_some());
    assert_eq!(found.skipped(), None);
    let found = auth(RED_HAT, "auth include common\n@include ours\n");
    let way = found.skipped().expect("sufficient ends the whole stack");
    assert!(way.iter().all(|step| step.entry < 4));
}

#[test]
fn an_expired_password_leaves_debians_account_phase_before_us() {
    let stacks = service(DEBIAN, "@include common\n@include ours\n");
    let found = stacks.phase(Phase::Account).explore(&Assume::default());
    assert_eq!(found.skipped(), None);
    assert!(found.skipped_when_expired().is_some());
}

#[test]
fn controls_that_let_in_in_spite_of_us() {
    for control in [
        "optional",
        "sufficient",
        "[success=ok default=ignore]",
        "[success=ok ignore=ignore authinfo_unavail=ignore default=die]",
        "[success=ok ignore=ignore module_unknown=ignore default=bad]",
        "[success=ok default=1]",
    ] {
        let own = format!("@include common\nauth {control} pam_countersign.so\nauth optional a.so\n");
        assert!(auth(DEBIAN, &own).in_spite_of_ours().is_some(), "{control}");
    }
    for control in
        ["required", "requisite", "[success=ok ignore=ignore default=die]", "[success=done default=bad]"]
    {
        let own = format!("@include common\nauth {control} pam_countersign.so\n");
        assert_eq!(auth(DEBIAN, &own).in_spite_of_ours(), None, "{control}");
    }
}

#[test]
fn lines_before_us_that_skip_us() {
    for line in [
        "auth sufficient pam_unix.so",
        "auth sufficient pam_succeed_if.so user ingroup robots",
        "auth [success=done default=ignore] pam_ssh_agent_auth.so",
        "auth [success=5 default=ignore] pam_succeed_if.so uid < 1000",
    ] {
        let own = format!(
            "{line}\n@include common\nauth required pam_countersign.so\nauth required pam_permit.so\n"
        );
        assert!(auth(DEBIAN, &own).skipped().is_some(), "{line}");
    }
    // su by root is no way past us for anybody else.
    let own = "auth sufficient pam_rootok.so\n@include common\n@include ours\n";
    assert_eq!(auth(DEBIAN, own).skipped(), None);
}

#[test]
fn required_before_us_is_no_first_factor() {
    assert!(!auth("", "auth required pam_unix.so\n@include ours\n").after_first_factor());
    assert!(auth("", "auth requisite pam_unix.so\n@include ours\n").after_first_factor());
    assert!(auth("", "auth [success=ok default=die] pam_unix.so\n@include ours\n").after_first_factor());
    assert!(!auth("", "auth requisite pam_permit.so\n@include ours\n").after_first_factor());
    assert!(!auth(DEBIAN, "@include ours\n@include common\n").after_first_factor());
}

#[test]
fn a_stack_that_lets_in_nobody_is_known() {
    assert!(!auth("", "auth requisite pam_deny.so\n").can_succeed());
    assert!(!auth("", "").can_succeed());
    assert!(!auth("", "auth requisite pam_deny.so\n@include ours\n").can_succeed_with_ours());
}

/// Random lines.
fn stacks(most: usize) -> impl Strategy<Value = String> {
    let action = prop_oneof![
        Just("ignore"),
        Just("ok"),
        Just("done"),
        Just("bad"),
        Just("die"),
        Just("reset"),
        Just("1"),
        Just("2")
    ];
    let control = prop_oneof![
        Just("required".to_owned()),
        Just("requisite".to_owned()),
        Just("sufficient".to_owned()),
        Just("optional".to_owned()),
        (action.clone(), action.clone(), action)
            .prop_map(|(a, b, c)| format!("[success={a} new_authtok_reqd={b} default={c}]")),
    ];
    let module = prop_oneof![
        3 => Just("a.so"), 1 => Just("pam_unix.so"), 1 => Just("pam_countersign.so"),
        1 => Just("pam_deny.so"), 1 => Just("pam_permit.so")
    ];
    let line = (control, module).prop_map(|(control, module)| format!("auth {control} {module}\n"));
    proptest::collection::vec(line, 0..most).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What the explorer says is what trying every answer says.
    #[test]
    fn exploring_is_trying_every_answer(outer in stacks(5), inner in stacks(3), before in any::<bool>()) {
        let own = if before { format!("auth substack in\n{outer}") } else { format!("{outer}auth substack in\n") };
        let dir = Dir::of(&[("s", &own), ("in", &inner)]);
        let stacks = dir.read("s");
        let stack = stacks.phase(Phase::Auth);
        let found = stack.explore(&Assume::default());
        prop_assert!(found.is_complete());
        let mut truth = Truth::default();
        try_all(stack, &mut Vec::new(), &mut truth);
        prop_assert_eq!(found.skipped().is_some(), truth.skipped);
        prop_assert_eq!(found.in_spite_of_ours().is_some(), truth.in_spite);
        prop_assert_eq!(found.reaches_ours(), truth.reached);
        prop_assert_eq!(found.asked_without_factor().is_some(), truth.without_factor);
        prop_assert_eq!(found.can_succeed(), truth.success);
        for way in [found.skipped(), found.in_spite_of_ours()].into_iter().flatten() {
            let mut steps = way.iter();
            let run = stack.run(|entry| {
                let step = steps.next().expect("a step for each call");
                assert_eq!(step.entry, entry);
                step.code
            });
            prop_assert_eq!(run.result, Code::SUCCESS);
        }
    }
}

#[derive(Default)]
struct Truth {
    skipped: bool,
    in_spite: bool,
    reached: bool,
    without_factor: bool,
    success: bool,
}

/// Runs the stack with every sequence of answers, by longer and longer scripts.
fn try_all(stack: &Stack, script: &mut Vec<Code>, truth: &mut Truth) {
    const CODES: [Code; 4] = [Code::SUCCESS, Code::AUTH_ERR, Code::NEW_AUTHTOK_REQD, Code::IGNORE];
    let (mut asked, mut missing) = (Vec::new(), None);
    let run = stack.run(|entry| {
        let code = script.get(asked.len()).copied().unwrap_or_else(|| {
            missing.get_or_insert(entry);
            Code::PERM_DENIED
        });
        asked.push((entry, code));
        code
    });
    if let Some(entry) = missing {
        let codes: &[Code] = match stack.entries[entry].module() {
            Some("pam_deny.so") => &CODES[1..2],
            Some("pam_permit.so") => &CODES[..1],
            Some("pam_unix.so") => &CODES[..3],
            Some("pam_countersign.so") => &[Code::SUCCESS, Code::AUTH_ERR, Code::IGNORE],
            _ => &CODES,
        };
        for code in codes {
            script.push(*code);
            try_all(stack, script, truth);
            script.pop();
        }
        return;
    }
    let (mut factor, mut reached, mut refused) = (false, false, false);
    for (entry, code) in asked {
        let entry = &stack.entries[entry];
        if entry.is_ours() {
            reached = true;
            truth.without_factor |= !factor;
            refused |= code == Code::AUTH_ERR;
        }
        factor |=
            entry.module() == Some("pam_unix.so") && matches!(code, Code::SUCCESS | Code::NEW_AUTHTOK_REQD);
    }
    truth.reached |= reached;
    let success = run.result == Code::SUCCESS;
    truth.success |= success;
    truth.skipped |= success && !reached;
    truth.in_spite |= success && refused;
}
