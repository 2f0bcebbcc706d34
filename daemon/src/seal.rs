//! Secrets at rest: sealed with a key that lies outside the state directory.
//!
//! XChaCha20-Poly1305 with a random 192-bit nonce; the identity of the row is associated data, so
//! a sealed secret copied to another row or another host does not open.

use crate::decide::invitation::Invitation;
use crate::error::Error;
use crate::random;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// Bytes of the master key in the key file.
pub const MASTER_BYTES: usize = 32;
/// Bytes of an instance id.
pub const INSTANCE_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

/// Tells one sealing key from another, and nothing else about it.
pub type Fingerprint = [u8; 32];

/// What follows from one sealing key. Cannot be printed.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    /// What is extracted from the key (RFC 5869, 2.2).
    extracted: Zeroizing<[u8; 32]>,
    instance: [u8; INSTANCE_BYTES],
}

impl Sealer {
    /// Derives it for an instance.
    ///
    /// # Errors
    /// Never in practice: the lengths are fixed and within RFC 5869's limits.
    pub fn derive(master: &[u8; MASTER_BYTES], instance: [u8; INSTANCE_BYTES]) -> Result<Self, Error> {
        let (extracted, hkdf) = Hkdf::<Sha256>::extract(Some(&instance), master);
        let mut key = Zeroizing::new([0_u8; 32]);
        hkdf.expand(b"countersign/1/seal", key.as_mut_slice())
            .map_err(|_| Error::unavailable("the sealing key cannot be derived"))?;
        let cipher = XChaCha20Poly1305::new((&*key).into());
        Ok(Self { cipher, extracted: Zeroizing::new(extracted.into()), instance })
    }

    /// Tells this key from others. Whoever has it learns nothing of the key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.authenticate("fingerprint", &[0; 32])
    }

    /// A code by which only whoever has this very key vouches for something of this kind, by its SHA-256.
    /// Unlike [`Keys::vouch`] it does not outlive the key.
    #[must_use]
    pub fn authenticate(&self, kind: &str, digest: &[u8; 32]) -> [u8; 32] {
        let info: [&[u8]; 4] = [b"countersign/1/sealer/", kind.as_bytes(), b"/", digest];
        let mut tag = [0; 32];
        let done = Hkdf::<Sha256>::from_prk(self.extracted.as_slice())
            .is_ok_and(|hkdf| hkdf.expand_multi_info(&info, &mut tag).is_ok());
        // Neither can fail (RFC 5869, 2.3); if one did, nothing would ever match.
        if done { tag } else { random::bytes().unwrap_or([0xff; 32]) }
    }

    /// Seals a secret for the row that `context` names.
    ///
    /// # Errors
    /// When there is no randomness for the nonce.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce: [u8; NONCE_BYTES] = random::bytes()?;
        let aad = self.associated(context);
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: &aad })
            .map_err(|_| Error::unavailable("the secret cannot be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Sealer::seal`] made for the same context.
    ///
    /// # Errors
    /// When it was sealed by another key, for another row, or was changed.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let damaged =
            || Error::unavailable("a sealed secret does not open: wrong key, or the row was changed");
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let aad = self.associated(context);
        self.cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| damaged())
    }

    /// Opens the key of the hashes as it is kept beside what this key seals.
    ///
    /// # Errors
    /// As [`Sealer::open`].
    pub fn open_hash_key(&self, sealed: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
        let opened = self.open(HASH_KEY_ROW, sealed)?;
        let mut key = Zeroizing::new([0; 32]);
        if opened.len() != key.len() {
            return Err(Error::unavailable("the key of the hashes is damaged"));
        }
        key.copy_from_slice(&opened);
        Ok(key)
    }

    /// The key of the hashes where none is kept.
    #[must_use]
    pub fn usual_hash_key(&self) -> Zeroizing<[u8; 32]> {
        self.extracted.clone()
    }

    /// The instance it seals for.
    #[must_use]
    pub fn instance(&self) -> [u8; INSTANCE_BYTES] {
        self.instance
    }

    fn associated(&self, context: &str) -> Vec<u8> {
        [self.instance.as_slice(), b"\0", context.as_bytes()].concat()
    }
}

/// The keys of this host. Cannot be printed.
///
/// What is sealed moves to a new key when one is made (`store::rekey` opens and seals all of it anew:
/// whoever adds a context below adds it there). What is hashed cannot, so the key of the hashes stays.
pub struct Keys {
    sealing: RwLock<Sealing>,
    /// HKDF-Expand is HMAC under this key (RFC 5869, 2.3).
    hashes: Hkdf<Sha256>,
    hash_key: Zeroizing<[u8; 32]>,
}

struct Sealing {
    by: Arc<Sealer>,
    /// While keys change: what was sealed by this one opens, too.
    also: Option<Arc<Sealer>>,
}

impl Keys {
    /// Derives the keys of an instance from its master key.
    ///
    /// # Errors
    /// As [`Sealer::derive`].
    pub fn derive(master: &[u8; MASTER_BYTES], instance: [u8; INSTANCE_BYTES]) -> Result<Self, Error> {
        let by = Sealer::derive(master, instance)?;
        let hash_key = by.usual_hash_key();
        Self::new(by, hash_key)
    }

    /// With a key of the hashes that is older than the sealing key.
    ///
    /// # Errors
    /// Never in practice, as [`Sealer::derive`].
    pub fn new(by: Sealer, hash_key: Zeroizing<[u8; 32]>) -> Result<Self, Error> {
        let hashes = Hkdf::from_prk(hash_key.as_slice())
            .map_err(|_| Error::unavailable("the key of the hashes cannot be used"))?;
        Ok(Self { sealing: RwLock::new(Sealing { by: Arc::new(by), also: None }), hashes, hash_key })
    }

    /// Tells the sealing key from others.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.sealer().fingerprint()
    }

    /// What seals now.
    #[must_use]
    pub fn sealer(&self) -> Arc<Sealer> {
        Arc::clone(&self.sealing.read().unwrap_or_else(PoisonError::into_inner).by)
    }

    /// The key of the hashes, to be sealed under a new key.
    #[must_use]
    pub fn hash_key(&self) -> Zeroizing<[u8; 32]> {
        self.hash_key.clone()
    }

    /// Lets what is sealed by this key open, too; `None` ends it.
    pub fn open_also(&self, other: Option<Arc<Sealer>>) {
        self.sealing.write().unwrap_or_else(PoisonError::into_inner).also = other;
    }

    /// Seals by this key from now on. What the one until now sealed still opens.
    pub fn change_to(&self, new: Arc<Sealer>) {
        let mut sealing = self.sealing.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut sealing.by, new);
        sealing.also = Some(old);
    }

    /// Seals a secret for the row that `context` names.
    ///
    /// # Errors
    /// When there is no randomness for the nonce.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, Error> {
        self.sealer().seal(context, secret)
    }

    /// Opens what [`Keys::seal`] made for the same context.
    ///
    /// # Errors
    /// When it was sealed by another key, for another row, or was changed.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (by, also) = {
            let sealing = self.sealing.read().unwrap_or_else(PoisonError::into_inner);
            (Arc::clone(&sealing.by), sealing.also.clone())
        };
        let opened = by.open(context, sealed);
        match also {
            Some(also) if opened.is_err() => also.open(context, sealed),
            _ => opened,
        }
    }

    /// A name that nobody here has, as the log may show it: a keyed hash, so that a password typed
    /// as a name cannot be guessed back from the log.
    #[must_use]
    pub fn conceal_name(&self, name: &str) -> String {
        let mut tag = [0_u8; 8];
        match self.hashes.expand_multi_info(&[b"countersign/1/name/", name.as_bytes()], &mut tag) {
            Ok(()) => format!("unknown:{}", random::hex(&tag)),
            Err(_) => "unknown:".into(),
        }
    }

    /// A message authentication code of this host for something of this kind.
    #[must_use]
    pub fn vouch(&self, kind: &str, content: &[u8]) -> [u8; 32] {
        let mut tag = [0; 32];
        // HKDF-Expand is HMAC; the content goes in by its hash because `info` is held in memory.
        let info: [&[u8]; 4] = [b"countersign/1/mac/", kind.as_bytes(), b"/", &Sha256::digest(content)];
        // Expanding one block cannot fail (RFC 5869, 2.3); if it did, nothing would ever match.
        if self.hashes.expand_multi_info(&info, &mut tag).is_err() {
            return random::bytes().unwrap_or([0xff; 32]);
        }
        tag
    }

    /// The key of the chains of the log.
    #[must_use]
    pub fn chain_key(&self) -> ChainKey {
        ChainKey::of(&self.hash_key)
    }

    /// The hash by which a typed invitation is compared with the one that is kept. What has not the
    /// shape of one (`None`) gets a hash that nothing has.
    #[must_use]
    pub fn invitation(&self, typed: Option<&Invitation>, uid: u32) -> [u8; 32] {
        typed.map_or_else(|| self.vouch("no invitation", b""), |code| self.vouch("invitation", &code.of(uid)))
    }
}

/// Bytes of a keyed hash in the chains of the log.
pub const LINK_BYTES: usize = 16;

/// The key of the chains of the log. Cannot be printed.
pub struct ChainKey(Hkdf<Sha256>);

impl ChainKey {
    /// What follows from the key of the hashes, which a change of the sealing key leaves as it is.
    #[must_use]
    pub fn of(hash_key: &[u8; 32]) -> Self {
        Self(Hkdf::new(Some(b"countersign/1/chain"), hash_key))
    }

    /// A keyed hash of these fields, in this order, of something of this kind. HKDF-Expand of one block is
    /// HMAC (RFC 5869, 2.3); each field goes in behind its length.
    #[must_use]
    pub fn tag(&self, kind: &str, fields: &[&[u8]]) -> [u8; LINK_BYTES] {
        let mut content = Vec::with_capacity(256);
        for field in [kind.as_bytes()].iter().chain(fields) {
            content.extend_from_slice(&(field.len() as u64).to_be_bytes());
            content.extend_from_slice(field);
        }
        let mut tag = [0; LINK_BYTES];
        // It cannot fail for one block. If it did, nothing would ever match.
        if self.0.expand(&content, &mut tag).is_err() {
            return random::bytes().unwrap_or([0xff; LINK_BYTES]);
        }
        tag
    }
}

/// The context that a person's confirmed authenticator is sealed under.
#[must_use]
pub fn totp_row(uid: u32) -> String {
    format!("totp/{uid}")
}

/// The context that the key of the hashes is sealed under.
pub const HASH_KEY_ROW: &str = "hash-key";

/// The context that a person's waiting enrollment is sealed under.
#[must_use]
pub fn enrollment_row(uid: u32) -> String {
    format!("enrollment/{uid}")
}

/// The context that a key is sealed under which a login shows and nobody has yet.
#[must_use]
pub fn pending_row(uid: u32, login: &[u8; 16]) -> String {
    format!("pending/{uid}/{}", random::hex(login))
}

/// The context that a recovery code which may be viewed is sealed under, by its number.
#[must_use]
pub fn recovery_row(uid: u32, number: u32) -> String {
    format!("recovery/{uid}/{number}")
}

/// What the store keeps of a scratch code: a hash under the key of this host. Eight digits could be
/// searched in minutes under any salt; without the key there is nothing to search.
#[must_use]
pub fn scratch_hash(keys: &Keys, uid: u32, salt: &[u8], code: &[u8]) -> [u8; 32] {
    keys.vouch(&format!("scratch/{uid}"), &Zeroizing::new([salt, b"\0", code].concat()))
}

/// What the store keeps of a capability handed out: its hash, so that a copied database opens
/// nothing.
#[must_use]
pub fn token_hash(token: &[u8; 16]) -> [u8; 16] {
    let digest = Sha256::digest(token);
    let mut out = [0; 16];
    out.copy_from_slice(&digest[..16]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(master: u8, instance: u8) -> Keys {
        Keys::derive(&[master; 32], [instance; 16]).expect("derives")
    }

    #[test]
    fn a_secret_opens_for_its_own_row_and_key_only() {
        let sealed = keys(1, 1).seal("totp/1000/1", b"secret").expect("seals");
        assert_eq!(keys(1, 1).open("totp/1000/1", &sealed).expect("opens").as_slice(), b"secret");
        assert!(keys(1, 1).open("totp/1001/1", &sealed).is_err(), "another row");
        assert!(keys(2, 1).open("totp/1000/1", &sealed).is_err(), "another key");
        assert!(keys(1, 2).open("totp/1000/1", &sealed).is_err(), "another host");
        for i in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[i] ^= 1;
            assert!(keys(1, 1).open("totp/1000/1", &flipped).is_err(), "byte {i} flipped");
        }
        assert!(keys(1, 1).open("totp/1000/1", &[]).is_err());
    }

    #[test]
    fn dat_05_while_keys_change_both_open_and_hashes_stay() {
        let host = keys(1, 1);
        let old = host.seal("totp/1000", b"old").expect("seals");
        let vouched = host.vouch("policy", b"x");
        let new = Arc::new(Sealer::derive(&[2; 32], [1; 16]).expect("derives"));
        let by_new = new.seal("totp/1000", b"new").expect("seals");
        assert!(host.open("totp/1000", &by_new).is_err(), "not yet");
        host.open_also(Some(Arc::clone(&new)));
        assert!(host.open("totp/1000", &by_new).is_ok());
        assert_ne!(host.fingerprint(), new.fingerprint());
        host.change_to(new);
        assert!(host.open("totp/1000", &old).is_ok(), "the one until now");
        host.open_also(None);
        assert!(host.open("totp/1000", &old).is_err(), "over");
        assert!(host.open("totp/1000", &by_new).is_ok());
        assert_eq!(host.vouch("policy", b"x"), vouched, "what was hashed cannot be hashed anew");
        assert_eq!(host.fingerprint(), keys(2, 1).fingerprint());
    }

    #[test]
    fn dis_08_names_are_concealed_by_key() {
        assert_eq!(keys(1, 1).conceal_name("hunter2"), keys(1, 1).conceal_name("hunter2"));
        assert_ne!(keys(1, 1).conceal_name("hunter2"), keys(2, 1).conceal_name("hunter2"));
        assert!(!keys(1, 1).conceal_name("hunter2").contains("hunter"));
    }
}
