//! The control field of a stack line: what each return code does to the stack.

use std::fmt;

use super::code::Code;

/// What one return code of a line does (pam.conf(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// As if the line were not there.
    Ignore,
    /// Counts, if nothing failed before.
    Ok,
    /// As `Ok`, and ends the stack or substack, if nothing failed before.
    Done,
    /// The stack fails, and goes on.
    Bad,
    /// The stack fails, and ends.
    Die,
    /// Forgets what the stack or substack had come to.
    Reset,
    /// Goes on after so many lines more; never 0.
    Jump(u32),
}

/// What each return code of a line does.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Control {
    actions: [Action; Code::COUNT],
}

/// What a control field asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Actions(Box<Control>),
    Include,
    Substack,
    /// libpam takes every return code of such a line for a failure, and logs why.
    Broken(&'static str),
}

const WORDS: [(&str, Action); 6] = [
    ("ignore", Action::Ignore),
    ("ok", Action::Ok),
    ("done", Action::Done),
    ("bad", Action::Bad),
    ("die", Action::Die),
    ("reset", Action::Reset),
];

impl Field {
    fn actions(control: Control) -> Self {
        Self::Actions(Box::new(control))
    }
}

impl Control {
    /// What this return code does.
    #[must_use]
    pub fn on(&self, code: Code) -> Action {
        self.actions[usize::from(code.number())]
    }

    /// Every return code is a failure: what libpam makes of lines that it cannot read.
    #[must_use]
    pub fn all_bad() -> Self {
        Self { actions: [Action::Bad; Code::COUNT] }
    }

    fn simple(success: Action, ignore: Action, rest: Action) -> Self {
        let mut actions = [rest; Code::COUNT];
        actions[usize::from(Code::SUCCESS.number())] = success;
        actions[usize::from(Code::NEW_AUTHTOK_REQD.number())] = success;
        actions[usize::from(Code::IGNORE.number())] = ignore;
        Self { actions }
    }

    fn required() -> Self {
        Self::simple(Action::Ok, Action::Ignore, Action::Bad)
    }

    fn requisite() -> Self {
        Self::simple(Action::Ok, Action::Ignore, Action::Die)
    }

    fn optional() -> Self {
        Self::simple(Action::Ok, Action::Ignore, Action::Ignore)
    }

    fn sufficient() -> Self {
        Self::simple(Action::Done, Action::Ignore, Action::Ignore)
    }

    /// Reads a control field, brackets taken off. Case does not matter for the words, and does inside brackets.
    pub(super) fn read(field: &str) -> Field {
        match field.to_ascii_lowercase().as_str() {
            "required" => Field::actions(Self::required()),
            "requisite" => Field::actions(Self::requisite()),
            "optional" => Field::actions(Self::optional()),
            "sufficient" => Field::actions(Self::sufficient()),
            "include" => Field::Include,
            "substack" => Field::Substack,
            _ => pairs(field).map_or_else(Field::Broken, Field::actions),
        }
    }
}

/// `value=action` pairs. What no pair and no `default` names is bad.
fn pairs(field: &str) -> Result<Control, &'static str> {
    let mut actions = [None; Code::COUNT];
    let mut rest = field.trim_ascii_start();
    while !rest.is_empty() {
        let code = if let Some(after) = rest.strip_prefix("default") {
            rest = after;
            None
        } else {
            let (code, length) = Code::at_start_of(rest).ok_or("no return value of that name")?;
            rest = &rest[length..];
            Some(code)
        };
        rest = rest.trim_ascii_start().strip_prefix('=').ok_or("a value without \"=\"")?.trim_ascii_start();
        let (action, length) = action(rest)?;
        rest = rest[length..].trim_ascii_start();
        match code {
            Some(code) => actions[usize::from(code.number())] = Some(action),
            // What was named before keeps its action; what is named later gets another.
            None => actions.iter_mut().for_each(|slot| *slot = slot.or(Some(action))),
        }
    }
    Ok(Control { actions: actions.map(|slot| slot.unwrap_or(Action::Bad)) })
}

fn action(text: &str) -> Result<(Action, usize), &'static str> {
    if let Some((word, action)) = WORDS.iter().find(|(word, _)| text.starts_with(word)) {
        return Ok((*action, word.len()));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match text[..digits].parse() {
        Ok(0) => Err("a jump over 0 lines"),
        Ok(lines) => Ok((Action::Jump(lines), digits)),
        Err(_) => Err("no action of that name"),
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jump(lines) => write!(f, "{lines}"),
            _ => f.write_str(WORDS.iter().find(|(_, action)| action == self).map_or("", |(word, _)| word)),
        }
    }
}

impl fmt::Display for Control {
    /// One of the four words where it is one, else brackets with what differs from the most common action.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            ("required", Self::required()),
            ("requisite", Self::requisite()),
            ("optional", Self::optional()),
            ("sufficient", Self::sufficient()),
        ];
        if let Some((word, _)) = words.iter().find(|(_, control)| control == self) {
            return f.write_str(word);
        }
        // `default` is what the codes do that nobody names one by one.
        let default = self.on(Code::MODULE_UNKNOWN);
        f.write_str("[")?;
        for code in Code::all().filter(|code| self.on(*code) != default) {
            write!(f, "{code}={} ", self.on(code))?;
        }
        write!(f, "default={default}]")
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(field: &str) -> Control {
        match Control::read(field) {
            Field::Actions(control) => *control,
            other => panic!("{field}: {other:?}"),
        }
    }

    #[test]
    fn the_four_words_are_what_the_manual_says() {
        for (word, pairs) in [
            ("required", "success=ok new_authtok_reqd=ok ignore=ignore default=bad"),
            ("requisite", "success=ok new_authtok_reqd=ok ignore=ignore default=die"),
            ("sufficient", "success=done new_authtok_reqd=done default=ignore"),
            ("optional", "success=ok new_authtok_reqd=ok default=ignore"),
        ] {
            assert_eq!(actions(word), actions(pairs));
            assert_eq!(actions(&word.to_uppercase()).to_string(), word);
        }
    }

    #[test]
    fn pairs_are_shown_as_they_were_meant() {
        assert_eq!(actions("success=1 default=ignore").to_string(), "[success=1 default=ignore]");
        assert_eq!(actions("default=die success=ok").to_string(), "[success=ok default=die]");
        assert_eq!(actions(" success = ok").to_string(), "[success=ok default=bad]");
        assert_eq!(actions("default=ok default=bad"), actions("default=ok"));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for field in ["requried", "success", "success=", "success=0", "success=x", "wrong=ok", "default"] {
            assert!(matches!(Control::read(field), Field::Broken(_)), "{field}");
        }
    }
}
