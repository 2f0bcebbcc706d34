//! What a person typed, and whether it may leave the module.

use zeroize::Zeroizing;

use crate::text;

/// Bytes typed at a prompt. Wiped when dropped; never shown by `Debug`.
#[derive(Clone)]
pub(crate) struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    /// Takes the bytes over.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the wire and for comparing.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Longest answer that is sent, in bytes. No factor is longer than a recovery code with room.
const LENGTH_CAP: usize = 256;
/// Digits at the end of a joined answer that are the code.
const JOINED_CODE: usize = 6;

/// What may become of an answer.
#[derive(Debug)]
pub(super) enum Fit {
    /// Nothing was typed: asked again.
    Empty,
    /// It may be sent as it is.
    Whole(Answer),
    /// Password and code from one box.
    Joined { password: Answer, code: Answer },
    /// It stays here, and the login ends.
    Unfit(&'static str),
}

/// Judges an answer by its form. `joined` is the option `forward_pass` at a code prompt.
pub(super) fn judge(answer: Answer, joined: bool) -> Fit {
    let bytes = answer.as_bytes();
    if bytes.is_empty() {
        Fit::Empty
    } else if bytes.len() > LENGTH_CAP {
        Fit::Unfit("the answer is too long; it was not sent")
    } else if text::has_control(bytes) {
        Fit::Unfit("the answer holds control characters; it was not sent")
    } else if !joined {
        Fit::Whole(answer)
    } else {
        split(bytes)
    }
}

fn split(bytes: &[u8]) -> Fit {
    match bytes.len().checked_sub(JOINED_CODE).map(|at| bytes.split_at(at)) {
        Some((password, code)) if !password.is_empty() && code.iter().all(u8::is_ascii_digit) => {
            Fit::Joined { password: Answer::new(password.to_vec()), code: Answer::new(code.to_vec()) }
        }
        // The password must not go to the daemon in place of a code.
        _ => Fit::Unfit("the answer is not a password followed by six digits; it was not sent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(bytes: &[u8], joined: bool) -> Fit {
        judge(Answer::new(bytes.to_vec()), joined)
    }

    #[test]
    fn what_may_leave() {
        assert!(matches!(fit(b"", false), Fit::Empty));
        assert!(matches!(fit(b"123456", false), Fit::Whole(_)));
        assert!(matches!(fit(b"abcd-efgh-jkmn-pqrs", false), Fit::Whole(_)));
        assert!(matches!(fit(b"\x08\n\r\x7fINCORRECT", false), Fit::Unfit(_)));
        assert!(matches!(fit(&[b'1'; LENGTH_CAP + 1], false), Fit::Unfit(_)));
    }

    #[test]
    fn a_joined_answer_splits_before_six_digits() {
        let Fit::Joined { password, code } = fit(b"hunter2123456", true) else { panic!("should split") };
        assert_eq!((password.as_bytes(), code.as_bytes()), (b"hunter2".as_slice(), b"123456".as_slice()));
        for unfit in ["123456", "12345", "secretpassword", "secret12345x"] {
            assert!(matches!(fit(unfit.as_bytes(), true), Fit::Unfit(_)), "{unfit}");
        }
    }

    #[test]
    fn no_answer_is_ever_formatted() {
        assert_eq!(format!("{:?}", Answer::new(b"123456".to_vec())), "[redacted]");
    }
}
