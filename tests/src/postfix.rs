//! A real mail server of the distribution: postfix, with TLS and logins checked by dovecot, and the
//! mailbox it delivers to.

use crate::certificates::Certificate;
use crate::people::DAVE;
use crate::scratch::Scratch;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The name that it logs in by.
pub const USER: &str = "acme";
/// The password of [`USER`].
pub const PASSWORD: &str = "correct-horse";

/// A running server, on 127.0.0.1: submission on port 587, submissions on 465. Only in a root
/// [`crate::World`], which has the ports for itself.
pub struct Postfix {
    dir: Scratch,
    dovecot: Child,
}

impl Postfix {
    /// Starts both programs and waits until they listen.
    ///
    /// # Panics
    /// When they do not.
    #[must_use]
    pub fn start(certificate: &Certificate) -> Self {
        let dir = Scratch::new("postfix");
        for folder in ["etc", "queue", "data", "mail", "run"] {
            fs::create_dir(dir.join(folder)).expect("our own folder");
        }
        let postfix = nix::unistd::User::from_name("postfix").ok().flatten().expect("the user postfix");
        let owner = (Some(postfix.uid.as_raw()), Some(postfix.gid.as_raw()));
        chown(dir.join("data"), owner.0, owner.1).expect("root may");
        // Letters are delivered as somebody who is not root.
        chown(dir.join("mail"), Some(DAVE.uid), Some(DAVE.uid)).expect("root may");
        fs::write(dir.join("etc/main.cf"), main_cf(dir.path(), certificate)).expect("our own folder");
        fs::write(dir.join("etc/master.cf"), MASTER).expect("our own folder");
        fs::write(dir.join("dovecot.conf"), dovecot(dir.path())).expect("our own folder");
        run(Command::new("postfix").arg("-c").arg(dir.join("etc")).arg("start"));
        let dovecot = Command::new("dovecot")
            .arg("-F")
            .arg("-c")
            .arg(dir.join("dovecot.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("start dovecot (dovecot-core)");
        let server = Self { dir, dovecot };
        let until = Instant::now() + Duration::from_secs(15);
        let listens = |port: u16| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        while !(listens(587) && listens(465) && server.dir.join("queue/private/auth").exists()) {
            assert!(Instant::now() < until, "postfix is not up:\n{}", server.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Its log.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// The letters delivered so far, in no particular order.
    #[must_use]
    pub fn letters(&self) -> Vec<String> {
        let new = self.dir.join("mail/inbox/new");
        let Ok(entries) = fs::read_dir(new) else { return Vec::new() };
        entries.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect()
    }

    /// Waits for a letter in which this stands, up to 15 seconds.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn wait_for_one(&self, word: &str) -> String {
        let until = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(letter) = self.letters().into_iter().find(|letter| letter.contains(word)) {
                return letter;
            }
            assert!(Instant::now() < until, "no letter with {word:?} came:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for so many letters in all, up to 15 seconds.
    ///
    /// # Panics
    /// When they do not come.
    #[must_use]
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        let until = Instant::now() + Duration::from_secs(15);
        loop {
            let letters = self.letters();
            if letters.len() >= count {
                return letters;
            }
            assert!(Instant::now() < until, "{} of {count} letters came:\n{}", letters.len(), self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("postfix said:\n{}", self.said());
        }
        let etc: PathBuf = self.dir.join("etc");
        drop(Command::new("postfix").arg("-c").arg(etc).arg("abort").output());
        // Dovecot ends its helpers on SIGTERM, and leaves them on SIGKILL.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.dovecot.id()).expect("a pid"));
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        drop(self.dovecot.wait());
    }
}

fn run(command: &mut Command) {
    let out = command.stdin(Stdio::null()).output().expect("run postfix (postfix)");
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}

fn main_cf(dir: &Path, certificate: &Certificate) -> String {
    let dir = dir.display();
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {dir}/queue\ndata_directory = {dir}/data\nmaillog_file = {dir}/log\n\
         maillog_file_prefixes = {dir}\n\
         inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = mx.example.org\nmydestination =\n\
         smtputf8_enable = no\n\
         virtual_mailbox_domains = example.org\nvirtual_mailbox_maps = static:inbox/\n\
         virtual_mailbox_base = {dir}/mail\nvirtual_uid_maps = static:{uid}\nvirtual_gid_maps = static:{uid}\n\
         smtpd_tls_cert_file = {chain}\nsmtpd_tls_key_file = {key}\nsmtpd_tls_security_level = encrypt\n\
         smtpd_tls_received_header = yes\n\
         smtpd_tls_auth_only = yes\nsmtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n\
         smtpd_sasl_path = private/auth\n\
         smtpd_recipient_restrictions = permit_sasl_authenticated, reject\n\
         smtpd_relay_restrictions = permit_sasl_authenticated, reject\n",
        uid = DAVE.uid,
        chain = certificate.chain.display(),
        key = certificate.key.display(),
    )
}

const MASTER: &str = "\
587       inet  n       -       n       -       -       smtpd
465       inet  n       -       n       -       -       smtpd
  -o smtpd_tls_wrappermode=yes
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
proxymap  unix  -       -       n       -       -       proxymap
virtual   unix  -       n       n       -       -       virtual
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
";

fn dovecot(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "base_dir = {dir}/run\nlog_path = {dir}/dovecot.log\nprotocols =\nssl = no\n\
         auth_mechanisms = plain login\ndisable_plaintext_auth = no\n\
         passdb {{\n  driver = static\n  args = user={USER} password={PASSWORD}\n}}\n\
         userdb {{\n  driver = static\n  args = uid={uid} gid={uid} home=/nonexistent\n}}\n\
         service auth {{\n  unix_listener {dir}/queue/private/auth {{\n    mode = 0666\n  }}\n}}\n",
        uid = DAVE.uid,
    )
}
