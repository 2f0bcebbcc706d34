//! Keeping the attempt log to its configured age.

use crate::error::Error;
use crate::host::Host;
use crate::journal;

/// Ends logins that nobody can go on with, so that the log and who reads it need not wait for the hour.
pub async fn end_overdue(host: &Host) {
    let ended = match host.clock.now() {
        Ok(now) => host.store.end_overdue(now).await,
        Err(e) => Err(e.into()),
    };
    if let Err(e) = ended {
        journal::warning("logins whose time is over were not ended, ignoring", &[("error", e.text())]);
    }
}

/// Removes what is older than `log.keep` or more than `log.most` from the attempt log, what is older from
/// the acts and the notices, and enrollments whose logins are over.
pub async fn prune(host: &Host) {
    end_overdue(host).await;
    let swept = match host.clock.now() {
        Ok(now) => match host.store.sweep_pending(now).await {
            Ok(_) => host.store.sweep_email(now).await,
            Err(e) => Err(e),
        },
        Err(e) => Err(e.into()),
    };
    if let Err(e) = swept {
        journal::warning(
            "old enrollments were not removed, ignoring until the next round",
            &[("error", e.text())],
        );
    }
    match prune_all(host).await {
        Ok(0) => {}
        Ok(rows) => {
            journal::notice("old rows of the attempt log were removed", &[("rows", &rows.to_string())]);
        }
        Err(e) => journal::warning(
            "the attempt log was not pruned, ignoring until the next round",
            &[("error", e.text())],
        ),
    }
}

/// Once an hour: the log is an hour older, and the date that its age is counted from goes on.
pub async fn let_age(host: &Host) {
    let aged = match host.clock.now() {
        Ok(now) => host.store.let_age(now).await,
        Err(e) => Err(e.into()),
    };
    if let Err(e) = aged {
        journal::warning("the age of the log was not noted, ignoring", &[("error", e.text())]);
    }
}

async fn prune_all(host: &Host) -> Result<usize, Error> {
    let log = host.in_force().config.log;
    let keep = i64::try_from(log.keep.as_secs()).unwrap_or(i64::MAX);
    let now = host.clock.now()?;
    let before = host.store.age_counts_from(now).await?.saturating_sub(keep);
    let mut rows = 0;
    loop {
        match host.store.prune(before, log.most, now).await? {
            0 => break,
            some => rows += some,
        }
        tokio::task::yield_now().await;
    }
    while host.store.prune_links(now).await? > 0 {
        tokio::task::yield_now().await;
    }
    while host.store.prune_acts(before, now).await? > 0 {
        tokio::task::yield_now().await;
    }
    while host.store.prune_notices(before).await? > 0 {
        tokio::task::yield_now().await;
    }
    Ok(rows)
}
