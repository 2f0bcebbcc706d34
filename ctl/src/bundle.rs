//! Files that leave the host with a key or with secrets in them: encrypted by a passphrase, in the age
//! format (age-encryption.org/v1), so that `age --decrypt` opens them too.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::iter;

use age::secrecy::SecretString;
use zeroize::Zeroizing;

use crate::errors::Failure;
use crate::progress::Progress;
use crate::terminal::safe;
use crate::text;

/// What every age file begins with.
const AGE: &[u8] = b"age-encryption.org/v1\n";
/// Our own first line inside, before the kind.
const FIRST: &str = "countersign-bundle 1 ";
/// Bytes of the key that comes first.
const LARGEST_KEY: u64 = 1024;

/// What is in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A key file and a backup.
    Backup,
    /// A key made for this file, and people sealed by it.
    People,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::People => "people",
        }
    }
}

/// An opened bundle: the key, and what it opens.
pub(crate) struct Opened {
    pub(crate) key: Zeroizing<Vec<u8>>,
    pub(crate) content: Box<dyn Read>,
}

/// Whether a file begins like a bundle.
pub(crate) fn is_one(file: &File) -> bool {
    use std::os::unix::fs::FileExt;
    let mut start = [0; AGE.len()];
    file.read_exact_at(&mut start, 0).is_ok() && start == AGE
}

/// Writes a bundle, encrypted.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(
    file: &File,
    passphrase: &str,
    kind: Kind,
    key: &[u8],
    content: &mut impl Read,
) -> Result<(), Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::failed(text::bundle_not_written(&safe(&error.to_string())));
    let _progress = Progress::of(text::ENCRYPTING);
    let encryptor = age::Encryptor::with_user_passphrase(SecretString::from(passphrase.to_owned()));
    let mut inside = encryptor.wrap_output(file).map_err(|e| failed(&e))?;
    let head = format!("{FIRST}{}\nkey {}\n", kind.word(), key.len());
    let wrote = inside
        .write_all(head.as_bytes())
        .and_then(|()| inside.write_all(key))
        .and_then(|()| std::io::copy(content, &mut inside))
        .and_then(|_| inside.finish())
        .and_then(File::sync_all);
    wrote.map_err(|e| failed(&e))
}

/// Opens a bundle of this kind.
///
/// # Errors
/// When the passphrase is wrong, or it is damaged or something else.
pub(crate) fn open(file: File, passphrase: &str, kind: Kind) -> Result<Opened, Failure> {
    let damaged = || Failure::failed(text::BUNDLE_DAMAGED);
    let decryptor = age::Decryptor::new_buffered(BufReader::new(file)).map_err(|_| damaged())?;
    let identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    let inside =
        decryptor.decrypt(iter::once(&identity as &dyn age::Identity)).map_err(|error| match error {
            age::DecryptError::DecryptionFailed
            | age::DecryptError::KeyDecryptionFailed
            | age::DecryptError::NoMatchingKeys => Failure::failed(text::WRONG_PASSPHRASE),
            age::DecryptError::ExcessiveWork { .. } => Failure::failed(text::EXCESSIVE_WORK),
            _ => damaged(),
        })?;
    let mut inside = BufReader::new(inside);
    let mut line = String::new();
    let mut next = |inside: &mut BufReader<_>| {
        line.clear();
        inside.take(64).read_line(&mut line).map(|_| line.trim_end_matches('\n').to_owned())
    };
    let first = next(&mut inside).map_err(|_| damaged())?;
    match first.strip_prefix(FIRST) {
        Some(word) if word == kind.word() => {}
        Some(word) => return Err(Failure::failed(text::other_bundle(&safe(word)))),
        None => return Err(damaged()),
    }
    let length = next(&mut inside).map_err(|_| damaged())?;
    let length: u64 = length.strip_prefix("key ").and_then(|n| n.parse().ok()).ok_or_else(damaged)?;
    if length > LARGEST_KEY {
        return Err(damaged());
    }
    let mut key = Zeroizing::new(vec![0; usize::try_from(length).unwrap_or_default()]);
    inside.read_exact(&mut key).map_err(|_| damaged())?;
    Ok(Opened { key, content: Box::new(inside) })
}
