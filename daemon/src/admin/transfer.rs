//! People who go to another host, and people who come from one.

use super::backup::{off_the_loop, one_at_a_time};
use crate::decide::policy::Resolution;
use crate::decide::strength::{self, LEAST_BITS};
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::seal::{Keys, totp_row};
use crate::store::{Came, Incoming, Kept, KeptApp, KeptCode, KeptSet, TakeIn};
use crate::transfer::{self, App, Set, Traveller};
use countersign_protocol::manager::CameIn;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Copies what these people have, or everybody, sealed by the key behind a descriptor, into an empty
/// file. Gives how many people.
///
/// # Errors
/// `NotFound` for somebody who has nothing here, `InvalidArgument` for a file that is not new or a key that
/// is none.
pub async fn export_people(
    host: &Host,
    users: &[String],
    key: File,
    mut file: File,
    by: String,
) -> Result<u32, Error> {
    let _one = one_at_a_time(host)?;
    let now = host.clock.now()?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() != 0 {
        return Err(Error::InvalidArgument("people are written into a new, empty file".into()));
    }
    let mut only = Vec::new();
    for user in users {
        let uid = host.store.uid_of(user.clone()).await?.ok_or_else(|| {
            Error::NotFound(format!(
                "{} has nothing here that could go to another host",
                super::printable(user)
            ))
        })?;
        only.push(uid);
    }
    let only = (!users.is_empty()).then_some(only);
    let people = host.store.people_to_export(only, by.clone(), now).await?;
    let count = u32::try_from(people.len()).unwrap_or(u32::MAX);
    let keys = Arc::clone(&host.keys);
    off_the_loop(move || {
        let opened: Vec<Traveller> =
            people.into_iter().map(|kept| opened(&keys, kept)).collect::<Result<_, _>>()?;
        let message = transfer::seal(&opened, &key)?;
        file.write_all(&message).and_then(|()| file.sync_all()).map_err(Error::from)
    })
    .await?;
    journal::warning("people were copied for another host", &[("people", &count.to_string()), ("by", &by)]);
    Ok(count)
}

fn opened(keys: &Keys, kept: Kept) -> Result<Traveller, Error> {
    let mut apps = Vec::new();
    for app in kept.apps {
        apps.push(App {
            secret: keys.open(&totp_row(kept.uid), &app.secret)?,
            numbers: [
                i64::from(app.digits),
                i64::from(app.period),
                app.last_step,
                app.drift,
                app.created,
                app.last_used,
            ],
            serial: app.serial,
            label: app.label,
        });
    }
    let code = |code: KeptCode| (code.number, code.hash, code.used_at.unwrap_or(0));
    let set = kept.set.map(|set| Set {
        salt: set.salt,
        created: set.created,
        codes: set.codes.into_iter().map(code).collect(),
    });
    Ok(Traveller { name: kept.name, uid: kept.uid, apps, set, address: kept.address })
}

/// Takes people in, each by name under the uid that they have here.
///
/// # Errors
/// `InvalidArgument` for another key, or what is damaged. What is wrong with one person keeps nobody else out.
pub async fn import_people(host: &Host, key: File, file: File, how: TakeIn) -> Result<Vec<CameIn>, Error> {
    let _one = one_at_a_time(host)?;
    let now = host.clock.now()?;
    let travellers = off_the_loop(move || {
        let meta = file.metadata()?;
        if !meta.is_file() || meta.len() > transfer::LARGEST {
            return Err(Error::InvalidArgument("that is no file with people; nothing was changed".into()));
        }
        let mut message = vec![0; usize::try_from(meta.len()).unwrap_or_default()];
        file.read_exact_at(&mut message, 0)?;
        transfer::open(&message, &key)
    })
    .await?;
    let mut came: Vec<CameIn> = Vec::new();
    let mut incoming = Vec::new();
    let mut places = Vec::new();
    for one in travellers {
        let mut row =
            CameIn { user: one.name.clone(), uid: 0, what: "refused".into(), new: 0, why: String::new() };
        match fit(host, one).await? {
            Ok(one) => {
                row.uid = one.kept.uid;
                places.push(came.len());
                incoming.push(one);
            }
            Err(why) => row.why = why,
        }
        came.push(row);
    }
    let keys = Arc::clone(&host.keys);
    let print =
        move |uid: u32, sealed: &[u8]| keys.open(&totp_row(uid), sealed).ok().map(|s| keys.vouch(SAME, &s));
    let (dry_run, by) = (how.dry_run, how.by.clone());
    let done = host.store.take_in(incoming, how, now, print).await?;
    for (place, done) in places.into_iter().zip(done) {
        let row = &mut came[place];
        match done {
            Came::New(new) => (row.what, row.new) = ("new".into(), new),
            Came::Present => row.what = "present".into(),
            Came::Refused(why) => row.why = why,
        }
    }
    if !dry_run {
        let new = came.iter().filter(|row| row.what == "new").count();
        journal::warning(
            "people of another host were taken in",
            &[("people", &new.to_string()), ("by", &by)],
        );
    }
    Ok(came)
}

/// What secrets are compared under.
const SAME: &str = "same-secret";
/// Longest secret, name and drift that are taken, as from other programs.
const LONGEST_SECRET: usize = 64;
const MOST_DRIFT: i64 = 60 * 60;
/// Recovery codes that a set may have.
const MOST_CODES: usize = 100;

/// Looks somebody up and seals what they bring; or says why they cannot come.
async fn fit(host: &Host, one: Traveller) -> Result<Result<Incoming, String>, Error> {
    let person = host.in_force().directory.person(&one.name).await;
    let uid = match person.resolution {
        Resolution::Found(uid) => uid,
        Resolution::NotFound => return Ok(Err("there is no user of that name on this host".into())),
        Resolution::Failed => return Ok(Err("the account database gives no answer".into())),
    };
    let mut apps = Vec::new();
    let mut prints = Vec::new();
    for app in one.apps {
        let [digits, period, last_step, drift, created, last_used] = app.numbers;
        let label_fits = !app.label.is_empty()
            && app.label.chars().count() <= 40
            && !app.label.chars().any(journal::is_unsafe);
        let fits = matches!(digits, 6 | 8)
            && matches!(period, 30 | 60)
            && drift.abs() <= MOST_DRIFT
            && app.serial.len() == 16
            && app.secret.len() <= LONGEST_SECRET
            && strength::bits(&app.secret) >= LEAST_BITS;
        if !fits || !label_fits {
            return Ok(Err("an authenticator of theirs is none that can be kept here".into()));
        }
        prints.push(host.keys.vouch(SAME, &app.secret));
        apps.push(KeptApp {
            secret: host.keys.seal(&totp_row(uid), &app.secret)?,
            digits: u8::try_from(digits).unwrap_or(6),
            period: u32::try_from(period).unwrap_or(30),
            serial: app.serial,
            label: app.label,
            last_step,
            drift,
            created,
            last_used,
        });
    }
    let code = |(number, hash, used): (u32, Vec<u8>, i64)| KeptCode {
        number,
        hash,
        sealed: None,
        used_at: (used != 0).then_some(used),
    };
    let set =
        one.set.filter(|set| set.codes.len() <= MOST_CODES && set.salt.len() == 16).map(|set| KeptSet {
            salt: set.salt,
            created: set.created,
            scratch: 0,
            codes: set.codes.into_iter().map(code).collect(),
        });
    let address = one.address.filter(|(address, _)| countersign_config::is_address(address));
    Ok(Ok(Incoming { kept: Kept { uid, name: one.name, apps, set, address }, prints }))
}
