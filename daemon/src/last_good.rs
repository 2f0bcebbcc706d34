//! The last good policy, in the state directory: the files as they were read, under a MAC of the
//! sealing key, so that neither a restart with a broken file nor a copied-in one changes who is asked.

use crate::error::Error;
use crate::random;
use crate::seal::Keys;
use crate::store::{Layout, read_own, replace_own};

/// The configuration files: name as shown in messages, and bytes.
pub type Files = Vec<(String, Vec<u8>)>;

const HEADER: &str = "countersign-policy 1\n";
/// Largest file that is read back, in bytes: more than any configuration may have.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Keeps these files as the last good policy, durably and all at once.
///
/// # Errors
/// When the state directory cannot be written.
pub fn write(layout: &Layout, keys: &Keys, files: &Files) -> Result<(), Error> {
    replace_own(&layout.last_good(), &encode(keys, files))
}

/// Reads the last good policy; `None` when there is none yet.
///
/// # Errors
/// When it cannot be read, is damaged, or was not written under this host's key.
pub fn read(layout: &Layout, keys: &Keys) -> Result<Option<Files>, Error> {
    let path = layout.last_good();
    let Some(bytes) = read_own(&path, LARGEST)? else { return Ok(None) };
    let files = decode(keys, &bytes).ok_or_else(|| {
        Error::unavailable(format!(
            "{} is damaged or was not written on this host. Restore the state directory and the key from the same backup; or, if the policy file is right as it stands, remove this one",
            path.display()
        ))
    })?;
    Ok(Some(files))
}

fn encode(keys: &Keys, files: &Files) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in files {
        body.extend_from_slice(format!("{} {}\n{name}\n", name.len(), bytes.len()).as_bytes());
        body.extend_from_slice(bytes);
        body.push(b'\n');
    }
    let mut out = format!("{HEADER}{}\n", random::hex(&keys.vouch("policy", &body))).into_bytes();
    out.extend_from_slice(&body);
    out
}

fn decode(keys: &Keys, bytes: &[u8]) -> Option<Files> {
    let rest = bytes.strip_prefix(HEADER.as_bytes())?;
    let (mac, body) = rest.split_at_checked(65)?;
    let mac: [u8; 32] = random::unhex(std::str::from_utf8(mac).ok()?.strip_suffix('\n')?)?;
    if !bool::from(subtle::ConstantTimeEq::ct_eq(&mac[..], &keys.vouch("policy", body)[..])) {
        return None;
    }
    let mut files = Files::new();
    let mut rest = body;
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n')?;
        let (name_length, length) = std::str::from_utf8(rest.get(..end)?).ok()?.split_once(' ')?;
        rest = rest.get(end + 1..)?;
        let (name, after) = rest.split_at_checked(name_length.parse().ok()?)?;
        let (content, after) = after.strip_prefix(b"\n")?.split_at_checked(length.parse().ok()?)?;
        files.push((String::from_utf8(name.to_vec()).ok()?, content.to_vec()));
        rest = after.strip_prefix(b"\n")?;
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byp_05_only_whole_and_vouched_for_comes_back() {
        let keys = Keys::derive(&[1; 32], [2; 16]).expect("derives");
        let files: Files =
            vec![("a.toml".into(), b"x = 1\n\n".to_vec()), ("conf.d/b c.toml".into(), Vec::new())];
        let bytes = encode(&keys, &files);
        assert_eq!(decode(&keys, &bytes), Some(files));
        for cut in 0..bytes.len() {
            assert_eq!(decode(&keys, &bytes[..cut]), None, "cut at {cut}");
        }
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1;
            assert_eq!(decode(&keys, &changed), None, "byte {i} changed");
        }
        let other = Keys::derive(&[9; 32], [2; 16]).expect("derives");
        assert_eq!(decode(&other, &bytes), None, "another key");
    }
}
