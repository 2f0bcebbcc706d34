//! The words after the module's name on a stack line.
//!
//! ```text
//! debug                  more lines in the log
//! quiet                  no information messages, as with PAM_SILENT
//! prompt=[TEXT]          the text of the code prompt, instead of the daemon's
//! echo=off               code prompts hide what is typed
//! timeout=SECONDS        machine time of one login, summed over all calls (10)
//! prompt_timeout=SECONDS a later answer is not taken (90)
//! after_first_factor     every path to this line goes through a first factor that said yes
//! after_key              public key and code, no password: refuse without a key
//! no_info                put information into the prompt: for greeters that drop messages
//! forward_pass           one box holds password and code: the last six digits, or a recovery code
//! forward_pass=8         the same, where the codes of apps have eight digits
//! bus=ADDRESS            unix:path=/... or unix:abstract=..., for private stacks
//! owner=UID              who must own the bus name, instead of the daemon's account
//! ```
//!
//! libpam joins `[...]` into one word, but only where the bracket begins it: `[prompt=Your code: ]`
//! arrives as one word, `prompt=[Your code: ]` as three, which are joined here. A word that is unknown,
//! given twice, or out of bounds refuses every login on that line: an option that is silently ignored
//! is a protection that somebody thinks they have.

use std::{borrow::Cow, time::Duration};

use crate::{bus::Address, text};

/// Everything that a stack line can say.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) debug: bool,
    pub(crate) quiet: bool,
    pub(crate) prompt: Option<String>,
    pub(crate) echo_off: bool,
    pub(crate) timeout: Duration,
    pub(crate) prompt_timeout: Duration,
    pub(crate) after_first_factor: bool,
    pub(crate) after_key: bool,
    pub(crate) no_info: bool,
    /// Digits of the code that stands behind the password in the same box.
    pub(crate) forward_pass: Option<usize>,
    pub(crate) bus: Address,
    pub(crate) owner: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            debug: false,
            quiet: false,
            prompt: None,
            echo_off: false,
            timeout: Duration::from_secs(10),
            prompt_timeout: Duration::from_secs(90),
            after_first_factor: false,
            after_key: false,
            no_info: false,
            forward_pass: None,
            bus: Address::system(),
            owner: None,
        }
    }
}

/// Longest machine time that may be configured, in seconds; sshd's own grace time is 120.
const TIMEOUT_CAP: u32 = 120;
/// Longest time for an answer that may be configured, in seconds.
const PROMPT_TIMEOUT_CAP: u32 = 3600;
/// Longest prompt text, in bytes.
const PROMPT_CAP: usize = 256;
/// Digits of a code where `forward_pass` does not say.
const USUAL_DIGITS: usize = 6;

impl Options {
    /// Reads the words of a stack line.
    ///
    /// # Errors
    ///
    /// One log line for each bad word.
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Vec<String>> {
        let mut options = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        let mut bad = Vec::new();
        let words: Vec<&[u8]> = words.into_iter().collect();
        let words = joined(&words);
        for word in &words {
            let name = word.split(|&byte| byte == b'=').next().unwrap_or_default();
            let result =
                if seen.contains(&name) { Err("is given twice".to_owned()) } else { options.set(word) };
            seen.push(name);
            if let Err(why) = result {
                bad.push(format!("module option {} {why}", text::for_log(word)));
            }
        }
        if options.forward_pass.is_some() && options.after_first_factor {
            bad.push(
                "module options forward_pass and after_first_factor exclude each other: \
                      a password that is still to be checked is no first factor"
                    .to_owned(),
            );
        }
        if bad.is_empty() { Ok(options) } else { Err(bad) }
    }

    fn set(&mut self, word: &[u8]) -> Result<(), String> {
        let Ok(word) = std::str::from_utf8(word) else {
            return Err("is not UTF-8".to_owned());
        };
        match word.split_once('=') {
            None => self.set_flag(word),
            Some((name, value)) => self.set_value(name, value),
        }
    }

    fn set_flag(&mut self, name: &str) -> Result<(), String> {
        let flag = match name {
            "debug" => &mut self.debug,
            "quiet" => &mut self.quiet,
            "after_first_factor" => &mut self.after_first_factor,
            "after_key" => &mut self.after_key,
            "no_info" => &mut self.no_info,
            "forward_pass" => {
                self.forward_pass = Some(USUAL_DIGITS);
                return Ok(());
            }
            "nullok" => {
                return Err("does not exist here; to let people without a factor in, \
                            write require = \"enrolled\" in the policy"
                    .to_owned());
            }
            "prompt" | "echo" | "timeout" | "prompt_timeout" | "bus" | "owner" => {
                return Err("needs a value".to_owned());
            }
            _ => return Err("is not known".to_owned()),
        };
        *flag = true;
        Ok(())
    }

    fn set_value(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "prompt" => self.prompt = Some(prompt(value)?),
            "echo" if value == "off" => self.echo_off = true,
            "echo" => return Err("can only be echo=off".to_owned()),
            "timeout" => self.timeout = seconds(value, TIMEOUT_CAP)?,
            "prompt_timeout" => self.prompt_timeout = seconds(value, PROMPT_TIMEOUT_CAP)?,
            "bus" => self.bus = Address::parse(value)?,
            "owner" => self.owner = Some(uid(value)?),
            "forward_pass" => self.forward_pass = Some(digits(value)?),
            "debug" | "quiet" | "after_first_factor" | "after_key" | "no_info" => {
                return Err("takes no value".to_owned());
            }
            _ => return Err("is not known".to_owned()),
        }
        Ok(())
    }
}

/// The words, with those of a `prompt=[...]` that libpam has split put together again. Where no bracket
/// closes, nothing is: the word itself is wrong then.
fn joined<'a>(words: &[&'a [u8]]) -> Vec<Cow<'a, [u8]>> {
    let mut out = Vec::new();
    let mut rest = words;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let open = first.starts_with(b"prompt=[") && !first.ends_with(b"]");
        match after.iter().position(|word| word.ends_with(b"]")).filter(|_| open) {
            Some(last) => {
                let (parts, others) = after.split_at(last + 1);
                let whole: Vec<&[u8]> = std::iter::once(first).chain(parts.iter().copied()).collect();
                out.push(Cow::Owned(whole.join(&b' ')));
                rest = others;
            }
            None => out.push(Cow::Borrowed(first)),
        }
    }
    out
}

fn number(value: &str) -> Option<u32> {
    // `str::parse` alone would take a sign.
    if value.bytes().all(|byte| byte.is_ascii_digit()) { value.parse().ok() } else { None }
}

fn seconds(value: &str, cap: u32) -> Result<Duration, String> {
    match number(value) {
        Some(seconds) if (1..=cap).contains(&seconds) => Ok(Duration::from_secs(seconds.into())),
        _ => Err(format!("must be whole seconds from 1 to {cap}")),
    }
}

fn uid(value: &str) -> Result<u32, String> {
    number(value).filter(|&uid| uid != u32::MAX).ok_or_else(|| "must be a numeric user id".to_owned())
}

/// The lengths that `[totp] digits` has (countersign.toml(5)).
fn digits(value: &str) -> Result<usize, String> {
    match value {
        "6" => Ok(6),
        "8" => Ok(8),
        _ => Err("can only be forward_pass, forward_pass=6 or forward_pass=8".to_owned()),
    }
}

fn prompt(value: &str) -> Result<String, String> {
    let value = match value.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or("begins with [ and does not end with ]")?,
        None => value,
    };
    if value.is_empty() || value.len() > PROMPT_CAP {
        return Err(format!("must have a text of at most {PROMPT_CAP} bytes"));
    }
    if text::for_person(value) != value {
        return Err("holds a control character".to_owned());
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, Vec<String>> {
        Options::parse(words.iter().map(|word| word.as_bytes()))
    }

    #[test]
    fn an_empty_line_has_the_documented_defaults() {
        let options = parse(&[]).expect("no words, no bad words");
        assert_eq!(options.timeout, Duration::from_secs(10));
        assert_eq!(options.prompt_timeout, Duration::from_secs(90));
        assert_eq!(options.bus, Address::system());
        assert!(options.owner.is_none() && options.prompt.is_none());
        assert!(
            !(options.after_first_factor || options.after_key || options.echo_off)
                && options.forward_pass.is_none()
        );
    }

    #[test]
    fn every_documented_word_is_read() {
        let options = parse(&[
            "debug",
            "quiet",
            "prompt=Code, please: ",
            "echo=off",
            "timeout=3",
            "prompt_timeout=30",
            "after_first_factor",
            "after_key",
            "no_info",
            "bus=unix:path=/run/x",
            "owner=0",
        ])
        .expect("all are good");
        assert!(options.debug && options.quiet && options.echo_off && options.after_first_factor);
        assert!(options.after_key && options.no_info);
        assert_eq!(options.prompt.as_deref(), Some("Code, please: "));
        assert_eq!(
            (options.timeout, options.prompt_timeout),
            (Duration::from_secs(3), Duration::from_secs(30))
        );
        assert_eq!(options.owner, Some(0));
        for (word, digits) in [("forward_pass", 6), ("forward_pass=6", 6), ("forward_pass=8", 8)] {
            assert_eq!(parse(&[word]).expect("good").forward_pass, Some(digits), "{word}");
        }
    }

    /// What libpam makes of `[prompt=Your code: ]`, `prompt=[Your code: ]` and their like.
    #[test]
    fn a_prompt_may_stand_in_brackets() {
        for (words, prompt) in [
            (&["prompt=Your code: "][..], "Your code: "),
            (&["prompt=[Your", "code:", "]", "debug"], "Your code: "),
            (&["prompt=[Your", "code:]", "debug"], "Your code:"),
            (&["prompt=[", "Code]"], " Code"),
            (&["prompt=[Code:]", "debug"], "Code:"),
            (&["prompt=[[Code]]"], "[Code]"),
            (&["prompt=Code]:"], "Code]:"),
            // What stands in the brackets is text.
            (&["prompt=[type", "after_first_factor", "nullok]"], "type after_first_factor nullok"),
        ] {
            let options = parse(words).unwrap_or_else(|bad| panic!("{words:?}: {bad:?}"));
            assert_eq!(options.prompt.as_deref(), Some(prompt), "{words:?}");
            assert!(!options.after_first_factor, "{words:?}");
            assert_eq!(options.debug, words.last() == Some(&"debug"), "{words:?}");
        }
        for words in
            [&["prompt=[Your", "code:"][..], &["prompt=["], &["prompt=[]"], &["prompt=[Your", "debug"]]
        {
            assert!(!parse(words).expect_err("no such prompt").is_empty(), "{words:?}");
        }
        let twice = parse(&["prompt=[a", "b]", "prompt=c"]).expect_err("given twice");
        assert_eq!(twice.len(), 1, "{twice:?}");
    }

    #[test]
    fn every_bad_word_is_named() {
        let bad = parse(&["nullok", "Debug", "timeout=0", "owner=-1", "echo=on", "debug"])
            .expect_err("five are bad");
        assert_eq!(bad.len(), 5, "{bad:?}");
        assert!(bad[0].contains("require = \"enrolled\""));
    }

    #[test]
    fn strictness() {
        for word in [
            "",
            "=",
            "debug=1",
            "debug=",
            "prompt",
            "prompt=",
            "prompt=a\u{1b}b",
            "echo",
            "echo=",
            "timeout=",
            "timeout=+1",
            "timeout=1s",
            "timeout=121",
            "timeout= 1",
            "prompt_timeout=3601",
            "owner=4294967295",
            "owner=root",
            "forward_pass=",
            "forward_pass=7",
            "forward_pass=06",
            "bus=",
            "bus=tcp:host=x",
            "try_first_pass",
            "require",
        ] {
            assert_eq!(parse(&[word]).expect_err(word).len(), 1, "{word}");
        }
        assert!(parse(&["debug", "debug"]).is_err());
        assert!(parse(&["timeout=1", "timeout=1"]).is_err());
        assert!(parse(&["forward_pass", "after_first_factor"]).is_err());
        assert!(parse(&["forward_pass=8", "after_first_factor"]).is_err());
        assert!(parse(&["forward_pass", "forward_pass=8"]).is_err());
        assert!(Options::parse([b"debug\xff".as_slice()]).is_err());
    }
}
