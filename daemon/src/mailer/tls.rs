//! Encryption to a mail server: always with a certificate that is checked, and what is wrong with it
//! in a word.

use super::bounded::Bounded;
use super::dialogue::Failure;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// For how long the system's certificates, once read, are those of the system.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// The largest `ca_file`, in bytes.
const LARGEST_CA_FILE: u64 = 1024 * 1024;

/// Makes connections encrypted.
pub(super) struct Encryption {
    system: Mutex<Option<(Instant, Arc<ClientConfig>)>>,
}

impl Encryption {
    pub(super) fn new() -> Self {
        Self { system: Mutex::new(None) }
    }

    /// Encrypts a connection to the server of this name, vouched for by `ca_file` alone or, without
    /// one, by an authority that the system trusts.
    ///
    /// # Errors
    /// When the authorities cannot be read, or do not vouch for this server now.
    pub(super) async fn begin(
        &self,
        stream: Bounded,
        host: &str,
        ca_file: Option<&Path>,
    ) -> Result<TlsStream<Bounded>, Failure> {
        let config = match ca_file {
            Some(path) => Arc::new(configure(from_file(path)?)?),
            None => self.by_system()?,
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::later("bad-server-name", host.to_owned()))?;
        TlsConnector::from(config).connect(name, stream).await.map_err(|e| explain(&e))
    }

    fn by_system(&self) -> Result<Arc<ClientConfig>, Failure> {
        let mut kept = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, config)) = kept.as_ref()
            && read.elapsed() < READ_AGAIN_AFTER
        {
            return Ok(Arc::clone(config));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(Failure::later("no-authorities", "ca-certificates"));
        }
        let config = Arc::new(configure(roots)?);
        *kept = Some((Instant::now(), Arc::clone(&config)));
        Ok(config)
    }
}

fn configure(roots: RootCertStore) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // TLS 1.2 and 1.3: rustls knows nothing older.
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Failure::later("tls", e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn from_file(path: &Path) -> Result<RootCertStore, Failure> {
    let shown = path.display();
    let bad = |why: String| Failure::later("bad-ca-file", format!("{shown}: {why}"));
    let meta = std::fs::metadata(path).map_err(|e| bad(e.to_string()))?;
    if !meta.is_file() || meta.len() > LARGEST_CA_FILE {
        return Err(bad("not a regular file of at most 1 MiB".into()));
    }
    let pem = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| bad(e.to_string()))?;
        roots.add(certificate).map_err(|e| bad(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("no certificate in it".into()));
    }
    Ok(roots)
}

/// What is wrong with a handshake.
fn explain(e: &std::io::Error) -> Failure {
    let Some(why) = e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return super::starttls::broken(e);
    };
    let cause = match why {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not-valid-yet",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "wrong-name"
            }
            CertificateError::UnknownIssuer => "unknown-issuer",
            CertificateError::Revoked => "revoked",
            // What `openssl req -x509` makes: an authority of its own that poses as a server.
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => "self-signed",
            _ => "bad-certificate",
        },
        rustls::Error::NoCertificatesPresented => "no-certificate",
        rustls::Error::InvalidMessage(_) => "no-tls",
        _ => "tls",
    };
    Failure::later(cause, why.to_string())
}
