//! A step of the daemon, read strictly: what is odd in any way is no answer.

use countersign_protocol::login::{CODE_PROMPT, STYLE_ERROR, STYLE_INFO, Step as WireStep, Verdict as Word};

use crate::{options::Options, text};

/// Messages in one step. OpenSSH 9.4 to 10.2 give up at 32 before a prompt.
const MESSAGE_CAP: usize = 16;
/// Bytes of one text. A QR code and its key take some three thousand.
const TEXT_CAP: usize = 16 * 1024;
/// Bytes of a login id; 128 bits in hex are 32.
const ID_CAP: usize = 64;

/// Why a step is no answer.
pub(crate) type Flaw = &'static str;

/// A message for the person, fit for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) is_error: bool,
    pub(crate) text: String,
}

/// A question for the person, fit for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) echo: bool,
    pub(crate) text: String,
    /// Whether it is the prompt for a code of a factor, and not for an invitation or a first code: those
    /// keep their own words, and no password is in the same box.
    pub(crate) is_for_code: bool,
}

impl Prompt {
    /// The prompt as the stack line wants it.
    pub(super) fn shaped(&self, messages: &[Message], options: &Options) -> Self {
        let mut prompt = self.clone();
        prompt.echo &= !options.echo_off;
        if prompt.is_for_code {
            if options.forward_pass.is_some() {
                // The box holds a password too, and says so unless the administrator does.
                prompt.echo = false;
                prompt.text = "Password and verification code: ".to_owned();
            }
            if let Some(text) = &options.prompt {
                prompt.text.clone_from(text);
            }
        }
        if options.no_info && !options.quiet {
            let lines: String = messages.iter().map(|message| format!("{}\n", message.text)).collect();
            prompt.text.insert_str(0, &lines);
        }
        prompt
    }
}

/// Proof that the daemon answered `allow` to an answer of this very login. Only
/// [`Verdict::read`] makes one, and nothing else reaches `PAM_SUCCESS` for a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof(());

/// The reply to `Begin`. There is no `Allow`: before any answer nobody has proven anything.
#[must_use]
#[derive(Debug)]
pub(super) enum Opening {
    Ask(Vec<Message>, Prompt),
    NotRequired(Vec<Message>),
    Refused(Vec<Message>),
    Locked(Vec<Message>),
}

/// The reply to an answer.
#[must_use]
#[derive(Debug)]
pub(super) enum Verdict {
    Ask(Vec<Message>, Prompt),
    End(Vec<Message>, End),
}

/// A reply to an answer after which nothing is asked any more.
#[must_use]
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Allow(Proof),
    Deny,
    Locked,
    NotRequired,
}

impl Opening {
    /// Reads the reply to `Begin`: the new login's id, and what to do.
    pub(super) fn read(wire: &WireStep) -> Result<(String, Self), Flaw> {
        let id = wire.login.clone();
        if id.is_empty() || id.len() > ID_CAP || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("it names no login");
        }
        let opening = match read(wire)? {
            (Word::Ask, messages, Some(prompt)) => Self::Ask(messages, prompt),
            (Word::NotRequired, messages, None) => Self::NotRequired(messages),
            (Word::Deny, messages, None) => Self::Refused(messages),
            (Word::Locked, messages, None) => Self::Locked(messages),
            (Word::Allow, ..) => return Err("it allows a login before any answer"),
            (Word::Ask | Word::NotRequired | Word::Deny | Word::Locked, ..) => return Err(PROMPTS),
        };
        Ok((id, opening))
    }
}

impl Verdict {
    /// Reads the reply to an answer of the login `id`.
    pub(super) fn read(wire: &WireStep, id: &str) -> Result<Self, Flaw> {
        if wire.login != id {
            return Err("it is for another login");
        }
        Ok(match read(wire)? {
            (Word::Ask, messages, Some(prompt)) => Self::Ask(messages, prompt),
            (Word::Allow, messages, None) => Self::End(messages, End::Allow(Proof(()))),
            (Word::Deny, messages, None) => Self::End(messages, End::Deny),
            (Word::Locked, messages, None) => Self::End(messages, End::Locked),
            (Word::NotRequired, messages, None) => Self::End(messages, End::NotRequired),
            (Word::Ask | Word::Allow | Word::Deny | Word::Locked | Word::NotRequired, ..) => {
                return Err(PROMPTS);
            }
        })
    }
}

const PROMPTS: Flaw = "its verdict and its prompts do not fit";

fn read(wire: &WireStep) -> Result<(Word, Vec<Message>, Option<Prompt>), Flaw> {
    let word = Word::parse(&wire.verdict).ok_or("its verdict is unknown")?;
    if wire.messages.len() > MESSAGE_CAP {
        return Err("it has too many messages");
    }
    if wire.prompt.len() > 1 {
        return Err(PROMPTS);
    }
    let messages = wire.messages.iter().map(message).collect::<Result<_, _>>()?;
    let prompt = wire.prompt.first().map(prompt).transpose()?;
    Ok((word, messages, prompt))
}

fn message((style, text): &(u32, String)) -> Result<Message, Flaw> {
    let is_error = match *style {
        STYLE_ERROR => true,
        STYLE_INFO => false,
        _ => return Err("a message has an unknown style"),
    };
    Ok(Message { is_error, text: clean(text)? })
}

fn prompt((echo, text): &(bool, String)) -> Result<Prompt, Flaw> {
    let text = clean(text)?;
    if text.is_empty() {
        return Err("its prompt is empty");
    }
    Ok(Prompt { echo: *echo, is_for_code: text == CODE_PROMPT, text })
}

fn clean(text: &str) -> Result<String, Flaw> {
    if text.len() > TEXT_CAP { Err("a text is too long") } else { Ok(text::for_person(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn wire(verdict: &str, prompts: usize) -> WireStep {
        WireStep {
            login: ID.to_owned(),
            verdict: verdict.to_owned(),
            messages: vec![(STYLE_INFO, "hello\u{1b}".to_owned())],
            prompt: vec![(true, "Verification code: ".to_owned()); prompts],
        }
    }

    #[test]
    fn begin_never_allows() {
        assert!(Opening::read(&wire("allow", 0)).is_err());
        assert!(Opening::read(&wire("allow", 1)).is_err());
        assert!(matches!(Opening::read(&wire("not-required", 0)), Ok((_, Opening::NotRequired(_)))));
        assert!(matches!(Opening::read(&wire("deny", 0)), Ok((_, Opening::Refused(_)))));
        assert!(matches!(Opening::read(&wire("locked", 0)), Ok((_, Opening::Locked(_)))));
    }

    #[test]
    fn prompts_and_verdicts_must_fit() {
        for (verdict, prompts) in
            [("ask", 0), ("ask", 2), ("allow", 1), ("deny", 1), ("locked", 1), ("not-required", 1)]
        {
            assert!(Verdict::read(&wire(verdict, prompts), ID).is_err(), "{verdict} {prompts}");
            assert!(Opening::read(&wire(verdict, prompts)).is_err(), "{verdict} {prompts}");
        }
        for verdict in ["", "Allow", "allow ", "yes", "VERIFIED", "not_required"] {
            assert!(Verdict::read(&wire(verdict, 0), ID).is_err(), "{verdict}");
        }
    }

    #[test]
    fn only_a_step_of_this_login_counts() {
        assert!(matches!(Verdict::read(&wire("allow", 0), ID), Ok(Verdict::End(_, End::Allow(_)))));
        assert!(Verdict::read(&wire("allow", 0), "00112233445566778899aabbccddeefe").is_err());
        for id in ["", "xyz", &"a".repeat(65)] {
            assert!(Opening::read(&WireStep { login: id.to_owned(), ..wire("ask", 1) }).is_err());
        }
    }

    #[test]
    fn sizes_and_styles_are_bounded() {
        let text = |text: String| WireStep { messages: vec![(STYLE_ERROR, text)], ..wire("deny", 0) };
        assert!(Verdict::read(&text("x".repeat(TEXT_CAP)), ID).is_ok());
        assert!(Verdict::read(&text("x".repeat(TEXT_CAP + 1)), ID).is_err());
        let many =
            WireStep { messages: vec![(STYLE_INFO, String::new()); MESSAGE_CAP + 1], ..wire("deny", 0) };
        assert!(Verdict::read(&many, ID).is_err());
        let odd = WireStep { messages: vec![(1, String::new())], ..wire("deny", 0) };
        assert!(Verdict::read(&odd, ID).is_err());
    }

    #[test]
    fn texts_lose_their_escapes_and_prompts_take_their_options() {
        let Ok((_, Opening::Ask(messages, prompt))) = Opening::read(&wire("ask", 1)) else {
            panic!("should ask")
        };
        assert_eq!(messages[0].text, "hello");
        assert!(prompt.echo && prompt.is_for_code);
        let other =
            WireStep { prompt: vec![(true, "First code from the app: ".to_owned())], ..wire("ask", 1) };
        let Ok((_, Opening::Ask(_, other))) = Opening::read(&other) else { panic!("should ask") };
        let options =
            Options { echo_off: true, no_info: true, prompt: Some("Now: ".to_owned()), ..Options::default() };
        let shaped = prompt.shaped(&messages, &options);
        assert_eq!((shaped.echo, shaped.text.as_str()), (false, "hello\nNow: "));
        assert_eq!(other.shaped(&[], &options).text, "First code from the app: ", "its own words");
        let joined = Options { forward_pass: Some(6), ..Options::default() };
        assert_eq!(prompt.shaped(&[], &joined).text, "Password and verification code: ");
        assert_eq!(other.shaped(&[], &joined), other, "no password is in this box");
        let quiet = Options { quiet: true, ..options };
        assert_eq!(prompt.shaped(&messages, &quiet).text, "Now: ");
    }
}
