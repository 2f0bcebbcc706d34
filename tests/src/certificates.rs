//! A certificate authority of the test's own, and server certificates with what can be wrong with them.

use crate::scratch::Scratch;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An authority that vouches for servers of the test.
pub struct Authority {
    dir: Scratch,
}

/// What a server shows.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// PEM.
    pub chain: PathBuf,
    /// PEM, readable by everybody: it is worth nothing.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one.
    ///
    /// # Panics
    /// Without openssl(1).
    #[must_use]
    pub fn new() -> Self {
        let dir = Scratch::new("ca");
        key(&dir.join("ca.key"));
        // Each has a name of its own, as authorities do.
        let subject = format!("/CN=Test authority {}", dir.path().display().to_string().replace('/', "-"));
        openssl(
            dir.path(),
            &["req", "-x509", "-key", "ca.key", "-out", "ca.pem", "-subj", &subject, "-days", "30"],
        );
        Self { dir }
    }

    /// Its own certificate, in PEM.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// For a server of this name (or address), valid for the coming 30 days.
    #[must_use]
    pub fn vouch_for(&self, name: &str) -> Certificate {
        self.sign(name, name, &["-days", "30"])
    }

    /// For a server of this name, over since yesterday.
    #[must_use]
    pub fn expired(&self, name: &str) -> Certificate {
        self.sign("expired", name, &["-days", "-1"])
    }

    /// A certificate that nobody but itself vouches for.
    #[must_use]
    pub fn self_signed(&self, name: &str) -> Certificate {
        let (chain, secret) = (self.dir.join("self.pem"), self.dir.join("self.key"));
        key(&secret);
        let names = format!("subjectAltName={}", alternative(name));
        openssl(
            self.dir.path(),
            &[
                "req", "-x509", "-key", "self.key", "-out", "self.pem", "-subj", "/CN=self", "-days", "30",
                "-addext", &names,
            ],
        );
        Certificate { chain, key: secret }
    }

    fn sign(&self, file: &str, name: &str, validity: &[&str]) -> Certificate {
        let file = file.replace(':', "_");
        let (chain, secret) = (self.dir.join(&format!("{file}.pem")), self.dir.join(&format!("{file}.key")));
        key(&secret);
        let extensions = self.dir.join(&format!("{file}.ext"));
        fs::write(&extensions, format!("subjectAltName={}\n", alternative(name))).expect("our own folder");
        let request = format!("{file}.csr");
        let (secret_name, chain_name) = (format!("{file}.key"), format!("{file}.pem"));
        let extensions_name = format!("{file}.ext");
        openssl(
            self.dir.path(),
            &["req", "-new", "-key", &secret_name, "-out", &request, "-subj", "/CN=server"],
        );
        let mut words = vec![
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-out",
            &chain_name,
            "-extfile",
            &extensions_name,
        ];
        words.extend(validity);
        openssl(self.dir.path(), &words);
        Certificate { chain, key: secret }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn alternative(name: &str) -> String {
    let kind = if name.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!("{kind}:{name}")
}

fn key(file: &Path) {
    let dir = file.parent().expect("a folder");
    openssl(
        dir,
        &[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            &file.display().to_string(),
        ],
    );
}

fn openssl(dir: &Path, words: &[&str]) {
    let out = Command::new("openssl").current_dir(dir).args(words).output().expect("run openssl (openssl)");
    assert!(out.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&out.stderr));
}
