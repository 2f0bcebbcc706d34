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
use zeroize::Zeroizing;

/// Bytes of the master key in the key file.
pub const MASTER_BYTES: usize = 32;
/// Bytes of an instance id.
pub const INSTANCE_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

/// The keys of this host, derived from the one in the key file. Cannot be printed.
pub struct Keys {
    seal: XChaCha20Poly1305,
    /// HKDF-Expand is HMAC under this key (RFC 5869, 2.3): a keyed hash of names.
    names: Hkdf<Sha256>,
    instance: [u8; INSTANCE_BYTES],
}

impl Keys {
    /// Derives the keys of an instance from its master key.
    ///
    /// # Errors
    /// Never in practice: the lengths are fixed and within RFC 5869's limits.
    pub fn derive(master: &[u8; MASTER_BYTES], instance: [u8; INSTANCE_BYTES]) -> Result<Self, Error> {
        let hkdf = Hkdf::<Sha256>::new(Some(&instance), master);
        let subkey = |info: &[u8]| {
            let mut key = Zeroizing::new([0_u8; 32]);
            hkdf.expand(info, key.as_mut_slice())
                .map(|()| key)
                .map_err(|_| Error::unavailable("the sealing key cannot be derived"))
        };
        let seal_key = subkey(b"countersign/1/seal")?;
        Ok(Self { seal: XChaCha20Poly1305::new((&*seal_key).into()), names: hkdf.clone(), instance })
    }

    /// Seals a secret for the row that `context` names.
    ///
    /// # Errors
    /// When there is no randomness for the nonce.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce: [u8; NONCE_BYTES] = random::bytes()?;
        let aad = self.associated(context);
        let sealed = self
            .seal
            .encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: &aad })
            .map_err(|_| Error::unavailable("the secret cannot be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Keys::seal`] made for the same context.
    ///
    /// # Errors
    /// When it was sealed by another key, for another row, or was changed.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let damaged =
            || Error::unavailable("a sealed secret does not open: wrong key, or the row was changed");
        let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let aad = self.associated(context);
        self.seal
            .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| damaged())
    }

    /// A name that nobody here has, as the log may show it: a keyed hash, so that a password typed
    /// as a name cannot be guessed back from the log.
    #[must_use]
    pub fn conceal_name(&self, name: &str) -> String {
        let mut tag = [0_u8; 8];
        match self.names.expand_multi_info(&[b"countersign/1/name/", name.as_bytes()], &mut tag) {
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
        if self.names.expand_multi_info(&info, &mut tag).is_err() {
            return random::bytes().unwrap_or([0xff; 32]);
        }
        tag
    }

    /// The hash by which a typed invitation is compared with the one that is kept. What has not the
    /// shape of one (`None`) gets a hash that nothing has.
    #[must_use]
    pub fn invitation(&self, typed: Option<&Invitation>, uid: u32) -> [u8; 32] {
        typed.map_or_else(|| self.vouch("no invitation", b""), |code| self.vouch("invitation", &code.of(uid)))
    }

    fn associated(&self, context: &str) -> Vec<u8> {
        [self.instance.as_slice(), b"\0", context.as_bytes()].concat()
    }
}

/// The context that a person's confirmed authenticator is sealed under.
#[must_use]
pub fn totp_row(uid: u32) -> String {
    format!("totp/{uid}")
}

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
    fn dis_08_names_are_concealed_by_key() {
        assert_eq!(keys(1, 1).conceal_name("hunter2"), keys(1, 1).conceal_name("hunter2"));
        assert_ne!(keys(1, 1).conceal_name("hunter2"), keys(2, 1).conceal_name("hunter2"));
        assert!(!keys(1, 1).conceal_name("hunter2").contains("hunter"));
    }
}
