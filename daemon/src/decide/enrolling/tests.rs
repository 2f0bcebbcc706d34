use super::*;
use crate::decide::answer::TRIES_PER_LOGIN;
use std::time::Duration;
use zeroize::Zeroizing;

const NOW: Moment = Moment { wall: 59, date: 1_000_000, boot_ms: 5_000_000, boot: [1; 16] };
const ALL: [Asking; 5] =
    [Asking::Code, Asking::Invitation, Asking::FirstCode, Asking::ReadBack, Asking::Offer];

fn terms(enroll: Enroll, deadline: Option<Deadline>) -> Terms {
    Terms {
        policy: "p".into(),
        certain: true,
        remember: Duration::ZERO,
        factors: vec![countersign_config::Factor::Totp],
        enroll,
        deadline,
        names_people: false,
        mail: None,
    }
}

fn newcomer(terms: &Terms) -> Newcomer<'_> {
    Newcomer { terms, uid: Some(5002), talk: true, invited: false, grace_began: None }
}

fn app() -> Authenticator {
    Authenticator {
        id: 0,
        secret: Zeroizing::new(b"12345678901234567890".to_vec()),
        digits: 8,
        period: 30,
        skew: 1,
        last_step: -1,
        drift: 0,
    }
}

fn at(asking: Asking) -> Position {
    Position { asking, passed: false, talk: true, tries: 3, misses: 0, rounds: 0, later_until: None }
}

fn passed(asking: Asking) -> Position {
    Position { passed: true, ..at(asking) }
}

fn answer(typed: &str, at: &Position) -> Move {
    let app = app();
    let app = (at.asking == Asking::FirstCode).then_some(&app);
    rule(&Typed::parse(typed.as_bytes()), at, &Shown { app, codes: true, read_back: false }, NOW)
}

#[test]
fn words_come_back_from_the_database() {
    for asking in ALL {
        assert_eq!(Asking::read(asking.as_str()), asking);
    }
    assert_eq!(Asking::read("anything else"), Asking::Code);
}

#[test]
fn enr_01_each_setting_lets_in_whom_it_says() {
    let ask = |asking| Opening::Ask { asking, later_until: None };
    for (enroll, invited, opening) in [
        (Enroll::AtLogin, false, ask(Asking::FirstCode)),
        (Enroll::AtLogin, true, ask(Asking::FirstCode)),
        (Enroll::Invited, false, Opening::NeedsInvitation),
        (Enroll::Invited, true, ask(Asking::Invitation)),
        (Enroll::Admin, false, Opening::NeedsAdmin),
        (Enroll::Admin, true, Opening::NeedsAdmin),
    ] {
        let terms = terms(enroll, None);
        let bob = Newcomer { invited, ..newcomer(&terms) };
        assert_eq!(open(&bob, NOW), opening, "{enroll:?} {invited}");
        let wrong_password = Newcomer { talk: false, ..bob };
        assert_eq!(open(&wrong_password, NOW), Opening::Neutral, "{enroll:?} {invited}");
        let nobody = Newcomer { uid: None, ..bob };
        assert_eq!(open(&nobody, NOW), Opening::Neutral, "{enroll:?} {invited}");
    }
}

#[test]
fn enr_11_system_accounts_enroll_where_the_policy_names_somebody() {
    for enroll in [Enroll::AtLogin, Enroll::Invited] {
        let everyone = terms(enroll, None);
        let named = Terms { names_people: true, ..everyone.clone() };
        for uid in [0, 1, 999, 65534] {
            assert!(!may_enroll(&everyone, uid), "{uid}");
            assert!(may_enroll(&named, uid), "{uid}");
            let system = Newcomer { uid: Some(uid), invited: true, ..newcomer(&everyone) };
            assert_eq!(open(&system, NOW), Opening::NeedsAdmin, "{uid}");
        }
        for uid in [1000, 5002, 65533, 65535] {
            assert!(may_enroll(&everyone, uid), "{uid}");
        }
        assert!(!may_enroll(&Terms { enroll: Enroll::Admin, ..named }, 5002));
    }
}

#[test]
fn grace_ends_to_the_second_and_begins_once() {
    let span = Deadline::Grace(Duration::from_secs(100));
    for (deadline, began, until) in [
        (Deadline::By(NOW.date + 1), None, Some(NOW.date + 1)),
        (Deadline::By(NOW.date), None, None),
        (span, None, Some(NOW.date + 100)),
        (span, Some(NOW.date - 99), Some(NOW.date + 1)),
        (span, Some(NOW.date - 100), None),
        (span, Some(NOW.date + 50), Some(NOW.date + 150)),
    ] {
        let at_login = terms(Enroll::AtLogin, Some(deadline));
        let bob = Newcomer { grace_began: began, ..newcomer(&at_login) };
        let asked = Opening::Ask { asking: Asking::FirstCode, later_until: until };
        assert_eq!(open(&bob, NOW), asked, "{deadline:?} {began:?}");
        let admin = terms(Enroll::Admin, Some(deadline));
        let told = until.map_or(Opening::NeedsAdmin, |until| Opening::Grace { until });
        assert_eq!(open(&Newcomer { terms: &admin, ..bob }, NOW), told, "{deadline:?} {began:?}");
        let unasked = until.map_or(Opening::Neutral, |until| Opening::Grace { until });
        assert_eq!(open(&Newcomer { talk: false, ..bob }, NOW), unasked, "{deadline:?} {began:?}");
    }
}

#[test]
fn later_is_an_answer_until_its_date_and_to_newcomers_only() {
    for asking in [Asking::Invitation, Asking::FirstCode] {
        let until = |until| Position { later_until: Some(until), ..at(asking) };
        assert_eq!(answer("later", &until(NOW.date + 1)), Move::Later);
        assert_eq!(answer(" LATER ", &until(NOW.date + 1)), Move::Later);
        assert_ne!(answer("later", &until(NOW.date)), Move::Later);
        assert_ne!(answer("later", &at(asking)), Move::Later);
        let in_already = Position { passed: true, ..until(NOW.date + 1) };
        assert_eq!(answer("later", &in_already), Move::GoOn { failed: false });
    }
    let shown = Position { later_until: Some(NOW.date + 1), ..at(Asking::ReadBack) };
    assert_ne!(answer("later", &shown), Move::Later, "the first code was right: now or not at all");
}

#[test]
fn the_first_code_is_one_of_the_key_that_was_shown() {
    assert_eq!(answer("94287082", &at(Asking::FirstCode)), Move::Proven { step: 1 });
    let miss = |off| Move::Missed(Miss::FirstCode { off });
    for wrong in ["94287083", "123456", "xyzzy", "no", "enroll", "0123-4567-89ab-cdez"] {
        assert_eq!(answer(wrong, &at(Asking::FirstCode)), miss(None), "{wrong}");
    }
    // Step 9 of RFC 6238's secret is minutes ahead of 59 s.
    let ahead = Moment { wall: 299, ..NOW };
    let app = app();
    let late = rule(
        &Typed::parse(b"94287082"),
        &at(Asking::FirstCode),
        &Shown { app: Some(&app), codes: false, read_back: false },
        ahead,
    );
    assert_eq!(late, miss(Some(-240)));
    let gone = Shown { app: None, codes: false, read_back: false };
    assert_eq!(rule(&Typed::parse(b"94287082"), &at(Asking::FirstCode), &gone, NOW), Move::Gone);
}

#[test]
fn only_the_code_that_was_asked_back_is_right() {
    let typed = Typed::parse(b"0123-4567-89ab-cdez");
    let shown = |codes, read_back| Shown { app: None, codes, read_back };
    let position = at(Asking::ReadBack);
    assert_eq!(rule(&typed, &position, &shown(true, true), NOW), Move::Kept);
    assert_eq!(rule(&typed, &position, &shown(true, false), NOW), Move::Missed(Miss::ReadBack));
    assert_eq!(rule(&typed, &position, &shown(false, true), NOW), Move::Gone);
    assert_eq!(answer("94287082", &position), Move::Missed(Miss::ReadBack));
}

#[test]
fn whoever_has_passed_is_never_sent_away() {
    let codes = Shown { app: None, codes: true, read_back: false };
    let answers = ["?", "no", "later", "enroll", "94287083", "xyzzy", "0123-4567-89ab-cdez", "\u{1f511}"];
    for asking in [Asking::FirstCode, Asking::ReadBack, Asking::Offer] {
        for typed in answers {
            for (misses, rounds) in [(0, 0), (1, 4), (2, 8), (2, ROUNDS_PER_LOGIN - 1)] {
                let position = Position { misses, rounds, ..passed(asking) };
                let ruled = answer(typed, &position);
                let last = misses + 1 >= TRIES_PER_LOGIN && asking == Asking::FirstCode;
                match ruled {
                    Move::GoOn { .. } => {}
                    Move::Explain | Move::Missed(_) => {
                        assert!(!position.is_last_round(), "{asking:?} {typed} {rounds}");
                        assert!(!last || ruled == Move::Explain, "{asking:?} {typed} {misses}");
                    }
                    Move::SetUp => assert_eq!((asking, typed), (Asking::Offer, "enroll")),
                    other => panic!("{asking:?} {typed}: {other:?}"),
                }
            }
        }
        let gone = Shown { app: None, codes: false, read_back: false };
        let ruled = rule(&Typed::parse(b"94287082"), &passed(asking), &gone, NOW);
        assert!(matches!(ruled, Move::GoOn { .. }), "{asking:?}: {ruled:?}");
    }
    assert_eq!(rule(&Typed::No, &passed(Asking::ReadBack), &codes, NOW), Move::GoOn { failed: false });
}

#[test]
fn nobody_goes_on_who_has_not_passed() {
    for asking in ALL {
        for typed in ["no", "enroll", "later", "?", "", "94287083", "0123-4567-89ab-cdez"] {
            for rounds in [0, ROUNDS_PER_LOGIN - 1] {
                let ruled = answer(typed, &Position { rounds, ..at(asking) });
                let let_in = matches!(ruled, Move::GoOn { .. } | Move::Later | Move::Kept | Move::SetUp);
                assert!(!let_in, "{asking:?} {typed}: {ruled:?}");
            }
        }
    }
}

#[test]
fn people_are_told_to_hurry_in_time() {
    let begun = |ms_ago: i64| Stamp { boot: NOW.boot, ms: NOW.boot_ms - ms_ago };
    for (service, ms_ago, left) in [
        ("sshd", 0, None),
        ("sshd", 80_000, None),
        ("sshd", 80_001, Some(39)),
        ("sshd", 119_999, Some(0)),
        ("sshd", 120_000, None),
        ("login", 20_001, Some(39)),
        ("login", 60_000, None),
        ("sudo", 119_000, None),
    ] {
        assert_eq!(seconds_left(service, begun(ms_ago), NOW), left, "{service} {ms_ago}");
    }
}
