//! The password or token of a mailbox, read for each connection, since an outside job may renew it.

use super::dialogue::Failure;
use nix::fcntl::OFlag;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The longest secret, in bytes: tokens of some providers have several thousand.
const LONGEST: usize = 16 * 1024;

/// Where the secrets lie.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    folder: PathBuf,
    credentials: Option<PathBuf>,
    also_owner: Option<u32>,
}

impl Secrets {
    /// `folder` is `mailbox.d`; a systemd credential `countersign.mailbox.NAME` comes before it.
    pub(super) fn new(folder: PathBuf, also_owner: Option<u32>) -> Self {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self { folder, credentials, also_owner }
    }

    /// Reads the secret of a mailbox: the text of the file without the line end.
    ///
    /// # Errors
    /// When there is none, others could have written or can read it, or it is no single line of text.
    pub(super) fn read(&self, mailbox: &str) -> Result<Zeroizing<String>, Failure> {
        // The configuration allows letters, digits, - and _ in a name; this is the second lock on the door.
        if mailbox.is_empty() || !mailbox.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            return Err(Failure::later("bad-name", mailbox));
        }
        let credential =
            self.credentials.as_ref().map(|dir| dir.join(format!("countersign.mailbox.{mailbox}")));
        if let Some(path) = credential.filter(|path| path.exists()) {
            return read(&path, |_| Ok(()));
        }
        read(&self.folder.join(mailbox), |meta| {
            let ours = meta.uid() == 0 || Some(meta.uid()) == self.also_owner;
            if !ours || meta.mode() & 0o027 != 0 {
                let (uid, mode) = (meta.uid(), meta.mode() & 0o7777);
                return Err(format!("uid {uid}, mode {mode:04o}"));
            }
            Ok(())
        })
    }
}

fn read(
    path: &Path,
    check: impl FnOnce(&std::fs::Metadata) -> Result<(), String>,
) -> Result<Zeroizing<String>, Failure> {
    let shown = path.display();
    let failed = |e: &std::io::Error| match e.kind() {
        ErrorKind::NotFound => Failure::later("no-secret", shown.to_string()),
        _ => Failure::later("unreadable-secret", format!("{shown}: {e}")),
    };
    // O_NONBLOCK: a FIFO in the file's place must not hang us.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
        .open(path)
        .map_err(|e| failed(&e))?;
    let meta = file.metadata().map_err(|e| failed(&e))?;
    if !meta.is_file() {
        return Err(Failure::later("unreadable-secret", format!("{shown}: not a regular file")));
    }
    check(&meta).map_err(|why| Failure::later("open-secret", format!("{shown}: {why}")))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    let mut limited = file.take(LONGEST as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(|e| failed(&e))?;
    let bad = || Failure::later("bad-secret", shown.to_string());
    let text = std::str::from_utf8(&bytes).map_err(|_| bad())?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    // A control character would end the line that it is sent in.
    if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(bad());
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    fn folder(name: &str) -> (PathBuf, Secrets) {
        let dir = std::env::temp_dir().join(format!("countersign-secret-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder");
        let secrets = Secrets {
            folder: dir.clone(),
            credentials: None,
            also_owner: Some(nix::unistd::geteuid().as_raw()),
        };
        (dir, secrets)
    }

    fn put(dir: &Path, name: &str, text: &[u8], mode: u32) {
        fs::write(dir.join(name), text).expect("written");
        fs::set_permissions(dir.join(name), Permissions::from_mode(mode)).expect("ours");
    }

    #[test]
    fn a_secret_is_one_line_that_only_we_can_read() {
        let (dir, secrets) = folder("line");
        put(&dir, "good", b"s3cret word\n", 0o640);
        assert_eq!(secrets.read("good").expect("reads").as_str(), "s3cret word");
        for (name, text, mode, cause) in [
            ("readable", &b"x"[..], 0o644, "open-secret"),
            ("writable", b"x", 0o660, "open-secret"),
            ("empty", b"\n", 0o600, "bad-secret"),
            ("lines", b"a\nb\n", 0o600, "bad-secret"),
            ("crlf", b"a\r\n", 0o600, "bad-secret"),
            ("nul", b"a\0b", 0o600, "bad-secret"),
            ("latin", b"\xe4", 0o600, "bad-secret"),
            ("long", &[b'a'; LONGEST + 1], 0o600, "bad-secret"),
        ] {
            put(&dir, name, text, mode);
            assert_eq!(secrets.read(name).expect_err(name).cause, cause, "{name}");
        }
        assert_eq!(secrets.read("absent").expect_err("absent").cause, "no-secret");
        fs::remove_dir_all(dir).expect("ours");
    }

    #[test]
    fn a_name_is_no_path_and_a_link_is_no_file() {
        let (dir, secrets) = folder("path");
        put(&dir, "good", b"x", 0o600);
        fs::create_dir_all(dir.join("sub")).expect("ours");
        std::os::unix::fs::symlink(dir.join("good"), dir.join("link")).expect("ours");
        for name in ["", ".", "..", "../good", "sub/../good", "/etc/shadow", "a\0b", "good\n"] {
            assert_eq!(secrets.read(name).expect_err(name).cause, "bad-name", "{name:?}");
        }
        assert_eq!(secrets.read("link").expect_err("a link").cause, "unreadable-secret");
        assert_eq!(secrets.read("sub").expect_err("a folder").cause, "unreadable-secret");
        fs::remove_dir_all(dir).expect("ours");
    }
}
