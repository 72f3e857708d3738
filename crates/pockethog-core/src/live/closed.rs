//! Reads the closed days that are due for a process that ends: a command or a widget. The app does it in its own turn.

use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use sign_in_with_posthog::Connection;

use crate::app_context::AppContext;
use crate::live::due::Policy;
use crate::live::judging;
use crate::live::refresh;
use crate::moves::Baselines;
use crate::overview::DayClock;
use crate::preferences::Preferences;
use crate::project::{Project, ProjectKey};
use crate::snapshot::{SnapshotError, Snapshots, View};

/// So many large queries are under way at once: PostHog lets an organization run twenty, and the numbers of today of
/// other programs come first.
const AT_ONCE: usize = 4;

/// Reads the closed days of these projects that are due and judges the projects by them. Each is stored as it arrives,
/// so that a caller whose time is over leaves the rest to the next process.
///
/// # Errors
///
/// Only if the Snapshots cannot be read or written; what PostHog refuses is stored as trouble.
pub async fn read_due(
    program: &AppContext,
    snapshots: &mut Snapshots,
    connections: &[Connection],
    preferences: &Preferences,
    projects: &[Project],
) -> Result<(), SnapshotError> {
    let mut due = Vec::new();
    for project in projects {
        let owner = connections
            .iter()
            .find(|known| known.is_active() && known.id == project.connection);
        if let Some(owner) = owner
            && is_due(snapshots, project, owner, preferences)?
        {
            let known = snapshots.history(&project.key)?;
            due.push((project, owner, known));
        }
    }
    let mut answers = stream::iter(due)
        .map(|(project, owner, known)| async move {
            let client = program.client(owner);
            let asked = preferences.asked(project);
            let answer = refresh::history(&client, project, &asked, known, Timestamp::now()).await;
            (project, answer)
        })
        .buffer_unordered(AT_ONCE);
    let mut baselines = Baselines::default();
    while let Some((project, answer)) = answers.next().await {
        let key: &ProjectKey = &project.key;
        match answer {
            Ok(history) => {
                snapshots.put_history(key, &history)?;
                let one = std::slice::from_ref(key);
                judging::judge(snapshots, &mut baselines, preferences, one)?;
            }
            Err(error) => {
                let trouble = error.trouble(Timestamp::now());
                snapshots.put_trouble(key, View::History, &trouble)?;
            }
        }
    }
    Ok(())
}

fn is_due(
    snapshots: &Snapshots,
    project: &Project,
    owner: &Connection,
    preferences: &Preferences,
) -> Result<bool, SnapshotError> {
    let now = Timestamp::now();
    let known = snapshots.known_history(&project.key)?;
    let trouble = snapshots.trouble(&project.key, View::History)?;
    let asked = preferences.asked(project);
    let clock = DayClock::new(&project.time_zone, now);
    let policy = Policy::new(now, 0);
    let of = (&asked, &clock, 0);
    Ok(policy.history(known.as_ref(), trouble.as_ref(), of, owner) == 0)
}
