//! Inviting somebody: a one-time code by which they may enroll.

use super::Target;
use crate::decide::invitation::{Invitation, LENGTH};
use crate::error::Error;
use crate::host::Host;
use crate::{journal, random};
use zeroize::Zeroizing;

/// Minutes that an invitation lives when nobody says otherwise.
const USUAL: u32 = 10;
/// The longest: a day.
const LONGEST: u32 = 1440;

/// Invites a person; gives the code, this once, and how many seconds it lives. An earlier one is void.
///
/// # Errors
/// `InvalidArgument` for more than a day, or for somebody who has a factor already.
pub async fn invite(
    host: &Host,
    by: u32,
    whom: &Target,
    minutes: u32,
) -> Result<(Zeroizing<String>, i64), Error> {
    let minutes = if minutes == 0 { USUAL } else { minutes };
    if minutes > LONGEST {
        return Err(Error::InvalidArgument(format!("an invitation lives 1 to {LONGEST} minutes")));
    }
    let now = host.clock.now()?;
    let code = Invitation::from_random(&random::bytes::<LENGTH>()?);
    let hash = host.keys.invitation(Some(&code), whom.uid);
    let lives = i64::from(minutes) * 60;
    let by = format!("uid {by}");
    host.store.invite(whom.uid, whom.name.clone(), by.clone(), hash, lives * 1000, now).await?;
    journal::notice("somebody was invited to enroll", &[("user", &whom.name), ("by", &by)]);
    Ok((code.show(), lives))
}
