//! Private PAM stacks: a directory with one service file, read by `pam_start_confdir(3)`. No root, nothing global.

use crate::code::Code;
use crate::login::Login;
use crate::scratch::Scratch;
use crate::talk::{Outcome, Reply};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A stack line's module with the options that every line of a private set-up needs.
#[derive(Debug, Clone)]
pub struct Module {
    path: PathBuf,
    options: Vec<String>,
}

impl Module {
    /// `pam_countersign.so` as it ships, without options: the system bus and the account `countersign`.
    #[must_use]
    pub fn shipped() -> Self {
        Self::at(crate::artifacts::module())
    }

    /// Any module file.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), options: Vec::new() }
    }

    /// Adds one option to every line made of this.
    #[must_use]
    pub fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Points the module at a private bus and says who is right to own the name there.
    #[must_use]
    pub fn on(self, bus_address: &str, owner: u32) -> Self {
        self.option(format!("bus={bus_address}")).option(format!("owner={owner}"))
    }

    /// One stack line, `kind control module options`.
    #[must_use]
    pub fn line(&self, kind: &str, control: &str, options: &[&str]) -> String {
        let mut line = format!("{kind} {control} {}", self.path.display());
        for option in self.options.iter().map(String::as_str).chain(options.iter().copied()) {
            // An option with blanks, or with the bracket itself, is quoted the way pam.conf(5) says.
            if option.contains([' ', '[', ']']) {
                let _ = write!(line, " [{}]", option.replace(']', "\\]"));
            } else {
                let _ = write!(line, " {option}");
            }
        }
        line
    }
}

/// What stands before the module in a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Says yes and asks nothing: the default, for tests about the second factor.
    Permit,
    /// Says no and asks nothing.
    Deny,
    /// `pam_unix`: asks for the password of a real account of the [`crate::World`].
    Unix,
    /// `pam_matrix` (libpam-wrapper): asks for the password `NAME-password` of any of the
    /// fixture's people, without root and without accounts.
    Matrix,
    /// Nothing: the module alone.
    Nothing,
}

/// A private stack on disk. Dropped, it is deleted.
pub struct Stack {
    dir: Arc<Scratch>,
    service: String,
}

impl Stack {
    /// A stack of these lines under this service name.
    #[must_use]
    pub fn of(service: &str, lines: &[impl AsRef<str>]) -> Self {
        let dir = Arc::new(Scratch::new("stack"));
        let mut text = String::new();
        for line in lines {
            text.push_str(line.as_ref());
            text.push('\n');
        }
        std::fs::write(dir.path().join(service), text).expect("write the stack");
        std::fs::write(dir.path().join("other"), "auth required pam_deny.so\naccount required pam_deny.so\n")
            .expect("write the stack `other`");
        Self { dir, service: service.to_owned() }
    }

    /// `cs`: a first factor that ends the stack when it says no, then the module, told so.
    #[must_use]
    pub fn cs(module: &Module) -> Self {
        Self::cs_after(First::Permit, module)
    }

    /// `cs` with another first factor.
    #[must_use]
    pub fn cs_after(first: First, module: &Module) -> Self {
        Self::two_factors("cs", first, "requisite", module, &["after_first_factor"])
    }

    /// `cs0`: the first factor is `required`, so the module runs after a wrong password too, and is not told.
    #[must_use]
    pub fn cs0(first: First, module: &Module) -> Self {
        Self::two_factors("cs0", first, "required", module, &[])
    }

    /// `cs1`: the module alone (a permitting account line beside it, since all-IGNORE denies).
    #[must_use]
    pub fn cs1(module: &Module) -> Self {
        Self::two_factors("cs1", First::Nothing, "required", module, &[])
    }

    /// `probe`: reports the module's own return code, `PAM_IGNORE` included, which an ordinary stack hides.
    /// The options are those of the auth line, such as `after_first_factor`.
    #[must_use]
    pub fn probe(module: &Module, options: &[&str]) -> Self {
        // A jump over pam_deny to a code that ours never returns; running the login translates it back.
        let control = "[success=done ignore=1 default=die]";
        let told = |kind: &str, what: &str| format!("{kind} [default=die] pam_debug.so {what}={PROBE_WORD}");
        Self::of(
            "probe",
            &[
                module.line("auth", control, options),
                "auth requisite pam_deny.so".to_owned(),
                told("auth", "auth"),
                module.line("account", control, &[]),
                "account requisite pam_deny.so".to_owned(),
                told("account", "acct"),
            ],
        )
    }

    fn two_factors(service: &str, first: First, control: &str, module: &Module, options: &[&str]) -> Self {
        let dir = Arc::new(Scratch::new("stack"));
        let (auth, account) = match first {
            First::Permit => (format!("auth {control} pam_permit.so"), "account required pam_permit.so"),
            First::Deny => (format!("auth {control} pam_deny.so"), "account required pam_permit.so"),
            First::Unix => (format!("auth {control} pam_unix.so nodelay"), "account required pam_unix.so"),
            First::Matrix => {
                let db = dir.path().join("passwords");
                std::fs::write(&db, crate::people::matrix_database(service))
                    .expect("write the password file");
                (
                    format!(
                        "auth {control} {} passdb={}",
                        crate::artifacts::pam_matrix().display(),
                        db.display()
                    ),
                    "account required pam_permit.so",
                )
            }
            First::Nothing => (String::new(), "account required pam_permit.so"),
        };
        let lines = [
            auth,
            module.line("auth", "required", options),
            account.to_owned(),
            module.line("account", "required", &[]),
        ];
        let stack = Self { dir, service: service.to_owned() };
        std::fs::write(stack.file(), lines.join("\n") + "\n").expect("write the stack");
        stack
    }

    /// The service file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.path().join(&self.service)
    }

    /// The directory for `pam_start_confdir`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A login to describe further (`rhost`, `pam_env`, ...) and then run, hold or rush.
    #[must_use]
    pub fn visit(&self, user: impl AsRef<[u8]>) -> Login {
        Login::new(&self.dir, &self.service, user.as_ref())
    }

    /// Auth and account of `user`, answering the prompts in order.
    pub fn login<R: Into<Reply>>(
        &self,
        user: impl AsRef<[u8]>,
        answers: impl IntoIterator<Item = R>,
    ) -> Outcome {
        self.visit(user).run(answers)
    }

    /// A login held at its first code prompt.
    #[must_use]
    pub fn hold(&self, user: impl AsRef<[u8]>) -> crate::Held {
        self.visit(user).hold()
    }
}

/// What `probe` stacks return instead of `PAM_IGNORE`, in the words of pam_debug(8).
const PROBE_WORD: &str = "authtok_lock_busy";

/// The module's own code behind what a stack returned.
pub(crate) fn own_code(service: &str, code: Code) -> Code {
    if service == "probe" && code == Code::AUTHTOK_LOCK_BUSY { Code::IGNORE } else { code }
}
