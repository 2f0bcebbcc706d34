//! Recovery codes: a new set, and a look at the one there is.

use crate::decide::recovery::{Code, LENGTH, SALT_BYTES};
use crate::error::Error;
use crate::host::Host;
use crate::random;
use crate::seal::recovery_row;
use crate::store::NewCodes;
use zeroize::Zeroizing;

/// Makes a set as the configuration says: as shown, this once, and as kept.
///
/// # Errors
/// When there is no randomness, or the codes cannot be hashed or sealed.
pub(crate) async fn generate(host: &Host, uid: u32) -> Result<(Vec<Zeroizing<String>>, NewCodes), Error> {
    let rules = host.in_force().config.recovery;
    let salt: [u8; SALT_BYTES] = random::bytes()?;
    let mut codes = Vec::new();
    for _ in 0..rules.codes {
        codes.push(Code::from_random(&random::bytes::<LENGTH>()?));
    }
    let shown: Vec<_> = codes.iter().map(Code::show).collect();
    let sealed = if rules.viewable {
        let each = shown.iter().zip(1_u32..);
        Some(
            each.map(|(code, number)| host.keys.seal(&recovery_row(uid, number), code.as_bytes()))
                .collect::<Result<Vec<_>, _>>()?,
        )
    } else {
        None
    };
    let hashes: Option<Vec<_>> = host.hashing(move || codes.iter().map(|c| c.hash(&salt)).collect()).await?;
    let hashes = hashes.ok_or_else(|| Error::unavailable("recovery codes cannot be hashed"))?;
    Ok((shown, NewCodes { salt, hashes, sealed }))
}
