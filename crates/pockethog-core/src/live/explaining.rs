//! What is to be explained: how a project has moved, as far as visitors can explain it.

use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use sign_in_with_posthog::Connection;

use crate::app_context::AppContext;
use crate::causes::{Direction, Explanation, Question};
use crate::live::due::Policy;
use crate::live::refresh;
use crate::moves::{Basis, Kind, Look, Metric, Move};
use crate::overview::LeftOut;
use crate::preferences::Preferences;
use crate::project::{Project, ProjectKey};
use crate::snapshot::{SnapshotError, Snapshots, View};

/// The days that a weekday is compared with.
const WEEKS: [u16; 4] = [7, 14, 21, 28];

/// So many of these large queries are under way at once.
const AT_ONCE: usize = 4;

/// What is to be explained of a project now: nothing if it is as usual, or silent.
///
/// # Errors
///
/// The Snapshots cannot be read.
pub fn question(
    snapshots: &Snapshots,
    preferences: &Preferences,
    key: &ProjectKey,
    now: Timestamp,
) -> Result<Option<Question>, SnapshotError> {
    let Some(judged) = snapshots.judged(key)? else {
        return Ok(None);
    };
    let Some((moved, question)) = judged
        .moved(now)
        .and_then(|moved| of(&moved).map(|question| (moved, question)))
    else {
        return Ok(None);
    };
    let until = judged.closed_until();
    // Visitors explain another number too, and what is usual of them is known for the day so far.
    let visitors = judged.number(&Metric::Visitors);
    let by_now = visitors
        .and_then(|visitors| visitors.by_now)
        .filter(|_| moved.look == Look::SoFar)
        .map(|by_now| whole(by_now.usual.centre));
    Ok(Some(Question {
        until: (until > judged.day_began).then_some(until),
        usual: question.usual.or(by_now),
        left_out: preferences.left_out(key),
        ..question
    }))
}

/// What is to be explained of a move.
#[must_use]
pub fn of(moved: &Move) -> Option<Question> {
    let direction = match moved.kind {
        Kind::Spike => Direction::Up,
        Kind::Drop => Direction::Down,
        Kind::Silent | Kind::BackToUsual => return None,
    };
    let compared_with = match moved.basis? {
        Basis::Weeks(_) => WEEKS.to_vec(),
        Basis::LastWeek => vec![7],
        Basis::Yesterday => vec![1],
    };
    let usual = moved
        .usual
        .filter(|_| moved.metric == Metric::Visitors)
        .map(|usual| whole(usual.centre));
    Some(Question {
        direction,
        since: moved.since,
        hours: moved
            .look
            .hours()
            .and_then(|hours| u8::try_from(hours).ok()),
        compared_with,
        until: None,
        usual,
        left_out: LeftOut::default(),
    })
}

/// Whether an explanation is of this move.
#[must_use]
pub fn explains(explanation: &Explanation, moved: &Move) -> bool {
    of(moved).is_some_and(|question| explanation.is_about(&question))
}

/// Asks what made those of these projects move that have moved, if that is due, for a process that ends. Each answer is
/// stored as it arrives, so that a caller whose time is over leaves the rest to the next process.
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
            && let Some(question) = question_due(snapshots, preferences, project, owner)?
        {
            due.push((project, owner, question));
        }
    }
    let mut answers = stream::iter(due)
        .map(|(project, owner, question)| async move {
            let client = program.client(owner);
            let answer = refresh::explanation(&client, project, question, Timestamp::now()).await;
            (&project.key, answer)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((key, answer)) = answers.next().await {
        match answer {
            Ok(explanation) => snapshots.put(key, &explanation)?,
            Err(error) => {
                let trouble = error.trouble(Timestamp::now());
                snapshots.put_trouble(key, View::Causes, &trouble)?;
            }
        }
    }
    Ok(())
}

fn question_due(
    snapshots: &Snapshots,
    preferences: &Preferences,
    project: &Project,
    owner: &Connection,
) -> Result<Option<Question>, SnapshotError> {
    let now = Timestamp::now();
    let key = &project.key;
    let Some(question) = question(snapshots, preferences, key, now)? else {
        return Ok(None);
    };
    let explained = snapshots.view::<Explanation>(key, View::Causes)?;
    let trouble = snapshots.trouble(key, View::Causes)?;
    let seconds =
        Policy::new(now, 0).causes(explained.as_ref(), trouble.as_ref(), &question, owner);
    let may_query = owner.grant.scopes.allows("query:read");
    Ok((may_query && seconds == 0).then_some(question))
}

/// A count from arithmetic, in whole visitors.
fn whole(count: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded on both sides"
    )]
    let whole = count.round().clamp(0.0, 9e15) as u64;
    whole
}
