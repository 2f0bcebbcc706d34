//! Keeping the attempt log to its configured age.

use crate::error::Error;
use crate::host::Host;
use crate::journal;

/// Removes what is older than `log.keep` from the attempt log and from the notices, and enrollments
/// whose logins are over.
pub async fn prune(host: &Host) {
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

async fn prune_all(host: &Host) -> Result<usize, Error> {
    let keep = i64::try_from(host.in_force().config.log.keep.as_secs()).unwrap_or(i64::MAX);
    let before = host.clock.now()?.wall.saturating_sub(keep);
    let mut rows = 0;
    loop {
        match host.store.prune(before).await? {
            0 => break,
            some => rows += some,
        }
        tokio::task::yield_now().await;
    }
    while host.store.prune_notices(before).await? > 0 {
        tokio::task::yield_now().await;
    }
    Ok(rows)
}
