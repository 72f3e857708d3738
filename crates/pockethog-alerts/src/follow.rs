//! Looks after the alerts in a process that stays: the app, or `pockethog watch`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sign_in_with_posthog::Connection;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::decide::{Counts, Ended, Seen, decide};
use super::store::{Store, StoreError};
use super::{Alert, Named};
use pockethog_core::access;
use pockethog_core::live::{Change, HomeCache, Interest, Live, StoredError};
use pockethog_core::moves::Metric;
use pockethog_core::overview::Today;
use pockethog_core::preferences::Preferences;
use pockethog_core::project::Project;
use pockethog_core::snapshot::{SnapshotError, Snapshots, View};

/// How often it is decided although nothing has changed: quiet hours end, and other processes tell.
const LOOK: Duration = Duration::from_secs(30);

/// Changes come in bursts, and most projects moving together are one alert.
const GATHER: Duration = Duration::from_millis(500);

/// Why nothing could be decided.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// What is known of the projects cannot be read.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// What was told cannot be kept.
    #[error(transparent)]
    Told(#[from] StoreError),
}

impl From<SnapshotError> for TellError {
    fn from(error: SnapshotError) -> Self {
        Self::Stored(error.into())
    }
}

/// What there is to tell now, from what is stored. It counts as told: deliver it.
///
/// # Errors
///
/// The stored numbers cannot be read, or the alerts that were delivered cannot be recorded.
pub fn tell(live: &Live, now: Timestamp) -> Result<Vec<Alert>, TellError> {
    let (preferences, _) = live.preferences();
    if !preferences.alerts.on {
        return Ok(Vec::new());
    }
    let connections = live.connections().map_err(StoredError::from)?;
    let cache = live.cache()?;
    let seen = seen(&cache, &live.snapshots(), &connections, &preferences)?;
    let ended: Vec<Ended> = connections.iter().filter_map(ended).collect();
    let store = Store::new(&live.program().folders);
    let alerts = store.tell(now, |told| {
        let clock = (now, &TimeZone::system());
        decide(told, &seen, &ended, &preferences, clock)
    })?;
    Ok(alerts)
}

/// Decides again and again until the app ends, and hands over what is to be delivered. As long as alerts are on, the
/// refresher looks after the home screen: favourites at the person's interval, everything else every quarter of an hour.
pub async fn follow(live: Arc<Live>, mut deliver: impl FnMut(Vec<Alert>) + Send) {
    let mut changes = live.subscribe();
    let mut watch = None;
    let mut last = None;
    loop {
        let is_on = live.preferences().0.alerts.on;
        if is_on && watch.is_none() {
            watch = Some(live.refresher().watch(Interest::Home(Vec::new())));
        }
        if is_on {
            let told = live.blocking(|live| look(live, Timestamp::now())).await;
            match told {
                Ok((alerts, number)) => {
                    if !alerts.is_empty() {
                        deliver(alerts);
                    }
                    if last.replace(number) != Some(number) {
                        live.announce(Change::Alerts);
                    }
                }
                Err(error) => tracing::warn!(%error, "nothing can be told"),
            }
        } else {
            watch = None;
        }
        tokio::select! {
            () = next(&mut changes) => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(LOOK) => {}
            () = live.closed() => return,
        }
    }
}

/// What there is to tell, and the number of the last alert of this device.
fn look(live: &Live, now: Timestamp) -> Result<(Vec<Alert>, u64), TellError> {
    let alerts = tell(live, now)?;
    let told = Store::new(&live.program().folders).read()?;
    Ok((alerts, told.last_number()))
}

/// Ready once something has changed that an alert may depend on.
async fn next(changes: &mut broadcast::Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(
                Change::View(_, View::Today | View::History)
                | Change::Projects
                | Change::SignedOut(_),
            )
            | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The projects that an active sign-in reads. What another one has left says nothing about now.
fn seen<'a>(
    cache: &'a HomeCache,
    snapshots: &Snapshots,
    connections: &[Connection],
    preferences: &Preferences,
) -> Result<Vec<Seen<'a>>, SnapshotError> {
    let is_read = |project: &&Project| {
        let mut active = connections.iter().filter(|known| known.is_active());
        active.any(|known| known.id == project.connection)
    };
    let seen = cache.projects.iter().filter(is_read).map(|project| {
        let has_goals = preferences
            .projects
            .get(&project.key.to_string())
            .is_some_and(|chosen| !chosen.goals.is_empty());
        let today: Option<Today> = if has_goals {
            snapshots.view(&project.key, View::Today)?
        } else {
            None
        };
        Ok(Seen {
            project: Named {
                key: project.key.clone(),
                name: preferences.name_of(project).to_owned(),
                time_zone: project.time_zone.clone(),
            },
            judged: cache.judged(&project.key),
            counts: today.and_then(|today| counts(&today)),
        })
    });
    seen.collect()
}

fn counts(today: &Today) -> Option<Counts> {
    let mut numbers = vec![
        (Metric::Visitors, today.today.visitors),
        (Metric::Pageviews, today.today.pageviews),
    ];
    for (place, event) in today.asked.conversions.iter().enumerate() {
        let of_event = today
            .quarters
            .iter()
            .filter_map(|quarter| quarter.first_conversions.get(place));
        numbers.push((Metric::Conversion(event.clone()), of_event.sum()));
    }
    Some(Counts {
        measured_at: today.measured_at,
        day_began: today.began()?,
        numbers,
    })
}

fn ended(connection: &Connection) -> Option<Ended> {
    Some(Ended {
        reason: connection.ended_by_itself()?,
        connection: connection.id.clone(),
        signed_in_at: connection.signed_in_at,
        ended_at: connection
            .ended_at
            .and_then(|at| Timestamp::from_second(at).ok()),
        name: access::name(connection),
        host: connection.host.clone(),
        by: connection.kind,
    })
}
