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
/// A recovery code as it is shown, for the end of a joined answer: a stands for a letter or a digit.
const RECOVERY_CODE: &[u8] = b"aaaa-aaaa-aaaa-aaaa";

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

/// Judges an answer by its form. `joined` is the option `forward_pass` at a code prompt: digits of a code.
pub(super) fn judge(answer: Answer, joined: Option<usize>) -> Fit {
    let bytes = answer.as_bytes();
    if bytes.is_empty() {
        Fit::Empty
    } else if bytes.len() > LENGTH_CAP {
        Fit::Unfit("the answer is too long; it was not sent")
    } else if text::has_control(bytes) {
        Fit::Unfit("the answer holds control characters; it was not sent")
    } else {
        match joined {
            None => Fit::Whole(answer),
            Some(digits) => split(bytes, digits),
        }
    }
}

/// No answer ends in both: a recovery code has a dash where the digits of an app would be.
fn split(bytes: &[u8], digits: usize) -> Fit {
    let ends = |length: usize, is_code: fn(&[u8]) -> bool| {
        let (password, code) = bytes.split_at_checked(bytes.len().checked_sub(length)?)?;
        (!password.is_empty() && is_code(code)).then_some((password, code))
    };
    let found = ends(digits, |code| code.iter().all(u8::is_ascii_digit))
        .or_else(|| ends(RECOVERY_CODE.len(), looks_like_recovery));
    match found {
        Some((password, code)) => {
            Fit::Joined { password: Answer::new(password.to_vec()), code: Answer::new(code.to_vec()) }
        }
        // The password must not go to the daemon in place of a code.
        None => Fit::Unfit("the answer is not a password followed by a code; it was not sent"),
    }
}

fn looks_like_recovery(code: &[u8]) -> bool {
    code.iter().zip(RECOVERY_CODE).all(|(typed, form)| match form {
        b'-' => *typed == b'-',
        _ => typed.is_ascii_alphanumeric(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(bytes: &[u8], joined: Option<usize>) -> Fit {
        judge(Answer::new(bytes.to_vec()), joined)
    }

    #[test]
    fn what_may_leave() {
        assert!(matches!(fit(b"", None), Fit::Empty));
        assert!(matches!(fit(b"123456", None), Fit::Whole(_)));
        assert!(matches!(fit(b"abcd-efgh-jkmn-pqrs", None), Fit::Whole(_)));
        assert!(matches!(fit(b"\x08\n\r\x7fINCORRECT", None), Fit::Unfit(_)));
        assert!(matches!(fit(&[b'1'; LENGTH_CAP + 1], None), Fit::Unfit(_)));
    }

    #[test]
    fn a_joined_answer_splits_before_the_code() {
        for (answer, digits, parts) in [
            ("hunter2123456", 6, ("hunter2", "123456")),
            ("hunter212345678", 6, ("hunter212", "345678")),
            ("hunter212345678", 8, ("hunter2", "12345678")),
            ("hunter20123-4567-89ab-CDEZ", 6, ("hunter2", "0123-4567-89ab-CDEZ")),
            ("hunter20123-4567-89ab-cdez", 8, ("hunter2", "0123-4567-89ab-cdez")),
            ("a-b0123-4567-8901-123456", 6, ("a-b0123-4567-8901-", "123456")),
        ] {
            let Fit::Joined { password, code } = fit(answer.as_bytes(), Some(digits)) else {
                panic!("{answer} should split")
            };
            let expected = (parts.0.as_bytes(), parts.1.as_bytes());
            assert_eq!((password.as_bytes(), code.as_bytes()), expected, "{answer}");
        }
        for (unfit, digits) in [
            ("123456", 6),
            ("12345", 6),
            ("secretpassword", 6),
            ("secret12345x", 6),
            ("secret123456", 8),
            ("0123-4567-89ab-cdez", 6),
            ("secret0123-4567-89ab-cde", 6),
            ("secret0123456789abcdez", 6),
            ("email", 6),
        ] {
            assert!(matches!(fit(unfit.as_bytes(), Some(digits)), Fit::Unfit(_)), "{unfit}");
        }
    }

    #[test]
    fn no_answer_is_ever_formatted() {
        assert_eq!(format!("{:?}", Answer::new(b"123456".to_vec())), "[redacted]");
    }
}
