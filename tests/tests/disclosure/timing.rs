//! DIS-06: whether the time of a comparison tells how much of a code was right.
//!
//! Welch's t-test over two kinds of wrong codes, asked by turns of chance, the slowest tenth left out
//! (dudect: Reparaz, Balasch, Verbauwhede, 2017). What depends on the code is beyond 4.5 each time; what does
//! not, is beyond it by chance, so the best of some runs counts.

use countersign_daemon::decide::totp::Authenticator;
use countersign_tests::secret::code;
use std::hint::black_box;
use std::time::Instant;
use zeroize::Zeroizing;

const KEY: &[u8] = b"12345678901234567890";
const NOW: i64 = 1_800_000_015;
/// Samples of each kind in one run.
const SAMPLES: usize = 3000;

fn app() -> Authenticator {
    let secret = Zeroizing::new(KEY.to_vec());
    Authenticator { id: 1, secret, digits: 6, period: 30, skew: 1, last_step: -1, drift: 0 }
}

/// Welch's t of two kinds of answers, in nanoseconds of whatever is done with them.
fn t_of(mut act: impl FnMut(&str), near: &str, far: &[String]) -> f64 {
    let mut taken = [Vec::new(), Vec::new()];
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    while taken.iter().any(|one| one.len() < SAMPLES) {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let kind = usize::from(dice & 1 == 1);
        let answer = if kind == 0 { near } else { &far[(dice >> 8) as usize % far.len()] };
        let began = Instant::now();
        act(black_box(answer));
        taken[kind].push(began.elapsed().as_secs_f64() * 1e9);
    }
    let mut all: Vec<f64> = taken.concat();
    all.sort_by(f64::total_cmp);
    let longest = all[all.len() * 9 / 10];
    let [near, far] = taken.map(|mut one| {
        one.retain(|&took| took <= longest);
        let count = one.len() as f64;
        let mean = one.iter().sum::<f64>() / count;
        let variance = one.iter().map(|took| (took - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    (near.0 - far.0) / (near.1 + far.1).sqrt()
}

/// Five digits of six are right; and codes of which, but for chance, none is.
fn answers() -> (String, Vec<String>) {
    let mut near = code(KEY, u64::try_from(NOW / 30).expect("after 1970"), 6);
    let last = near.pop().and_then(|digit| digit.to_digit(10)).expect("a digit");
    near.push(char::from_digit((last + 5) % 10, 10).expect("a digit"));
    (near, (0..64).map(|n| format!("{:06}", (n * 104_729 + 7) % 1_000_000)).collect())
}

#[test]
fn dis_06_the_time_of_a_comparison_tells_nothing() {
    let (near, far) = answers();
    let app = app();
    let check = |answer: &str| {
        let _ = black_box(app.check(answer, NOW));
    };
    let runs: Vec<f64> = (0..5).map(|_| t_of(check, &near, &far)).collect();
    assert!(runs.iter().any(|t| t.abs() < 4.5), "{runs:?}");
    // The control: a comparison that goes on only as long as digits are right.
    let right = code(KEY, u64::try_from(NOW / 30).expect("after 1970"), 6);
    let leaky = |answer: &str| {
        for (given, right) in answer.bytes().zip(right.bytes()) {
            if given != right {
                return;
            }
            let _ = black_box(app.check(answer, NOW));
        }
    };
    let leak = t_of(leaky, &near, &far);
    assert!(leak.abs() > 100.0, "{leak}");
    eprintln!("t {runs:.1?}; of one that stops at the first wrong digit {leak:.0}");
}
