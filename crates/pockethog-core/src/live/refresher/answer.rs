//! Sends one request to PostHog, and learns from the response how the connection is doing.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use posthog_api::{BearerError, Error};
use sign_in_with_posthog::{Connection, ConnectionId};

use super::plan::Job;
use crate::annotations::Annotations;
use crate::causes::Explanation;
use crate::discovery::{Cause, Discovery, discover};
use crate::history::History;
use crate::live::Live;
use crate::live::explaining;
use crate::live::refresh::{self, ReadError};
use crate::overview::{Breakdowns, Period, Today};
use crate::preferences::Preferences;
use crate::project::{Project, ProjectKey};
use crate::snapshot::{SnapshotError, Snapshots, View};

/// An answer.
pub(super) struct Done {
    pub(super) job: Job,
    pub(super) connection: ConnectionId,
    pub(super) answer: Answer,
}

pub(super) enum Answer {
    /// There was nothing to ask.
    Nothing,
    Found(Discovery),
    Today(Box<Today>),
    Period(Box<Period>),
    Breakdowns(Box<Breakdowns>),
    Annotations(Box<Annotations>),
    History(Box<History>),
    Explanation(Box<Explanation>),
    Failed(ReadError),
}

/// Asks PostHog.
pub(super) async fn ask(
    live: Arc<Live>,
    job: Job,
    connection: Connection,
    project: Option<Project>,
    preferences: Preferences,
) -> Done {
    let client = live.program().client(&connection);
    let answer = match (&job, &project) {
        (Job::Discover(_), _) => Answer::Found(discover(&client, &connection).await),
        (Job::Read(key, view), Some(project)) => {
            let now = Timestamp::now();
            let read = match *view {
                View::Today => {
                    let asked = preferences.asked(project);
                    let (of, query) = (project.clone(), asked.clone());
                    let closed = live
                        .blocking(move |live| {
                            refresh::closed_days(&live.snapshots(), &of, &query, now)
                        })
                        .await;
                    refresh::today(&client, project, &asked, closed, now)
                        .await
                        .map(|today| Answer::Today(Box::new(today)))
                }
                View::Period(range) => {
                    let events = preferences.project(key).conversions;
                    let counted = (events.as_slice(), preferences.left_out(key));
                    refresh::period(&client, project, range, counted, now)
                        .await
                        .map(|period| Answer::Period(Box::new(period)))
                }
                View::Breakdowns(range) => {
                    refresh::breakdowns(&client, project, range, preferences.left_out(key), now)
                        .await
                        .map(|breakdowns| Answer::Breakdowns(Box::new(breakdowns)))
                }
                View::Annotations => refresh::annotations(&client, project, now)
                    .await
                    .map(|annotations| Answer::Annotations(Box::new(annotations))),
                View::History => {
                    let of = key.clone();
                    let known = live
                        .blocking(move |live| live.snapshots().history(&of))
                        .await;
                    let asked = preferences.asked(project);
                    refresh::history(&client, project, &asked, known.ok().flatten(), now)
                        .await
                        .map(|history| Answer::History(Box::new(history)))
                }
                // A command reads it; no page shows it.
                View::Digest(_) => Ok(Answer::Nothing),
                View::Causes => {
                    let of = key.clone();
                    let question = live
                        .blocking(move |live| {
                            explaining::question(&live.snapshots(), &preferences, &of, now)
                        })
                        .await;
                    match question {
                        Ok(Some(question)) => refresh::explanation(&client, project, question, now)
                            .await
                            .map(|explanation| Answer::Explanation(Box::new(explanation))),
                        // It is back to usual meanwhile.
                        _ => Ok(Answer::Nothing),
                    }
                }
            };
            read.unwrap_or_else(Answer::Failed)
        }
        (Job::Read(..), None) => Answer::Nothing,
    };
    Done {
        job,
        connection: connection.id,
        answer,
    }
}

/// Keeps what has arrived together by one write. A list that cannot be kept takes no numbers with it.
pub(super) fn store(live: &Live, arrived: Vec<Done>) -> Result<(), SnapshotError> {
    let now = Timestamp::now();
    let mut snapshots = live.snapshots();
    let mut kept = Ok(());
    let mut read = Vec::new();
    for done in arrived {
        match done.answer {
            Answer::Found(found) => {
                let program = live.program();
                let stored =
                    refresh::keep_discovery(program, &mut snapshots, &done.connection, &found);
                kept = kept.and(stored);
            }
            Answer::Nothing => {}
            answer => read.push((done.job, answer)),
        }
    }
    if read.is_empty() {
        return kept;
    }
    let written = snapshots.together(|snapshots| {
        read.iter()
            .try_for_each(|(job, answer)| keep(snapshots, job, answer, now))
    });
    drop(snapshots);
    let judged = live.judge(&to_be_judged(&read));
    kept.and(written).and(judged)
}

/// The projects of which something was read that a judgement depends on.
fn to_be_judged(read: &[(Job, Answer)]) -> Vec<ProjectKey> {
    let judged = |(job, answer): &(Job, Answer)| match (job, answer) {
        (Job::Read(key, _), Answer::Today(_) | Answer::History(_)) => Some(key.clone()),
        _ => None,
    };
    read.iter().filter_map(judged).collect()
}

fn keep(
    snapshots: &mut Snapshots,
    job: &Job,
    answer: &Answer,
    now: Timestamp,
) -> Result<(), SnapshotError> {
    let Job::Read(key, view) = job else {
        return Ok(());
    };
    match answer {
        Answer::Today(today) => snapshots.put(key, &**today),
        Answer::Period(period) => snapshots.put(key, &**period),
        Answer::Breakdowns(breakdowns) => snapshots.put(key, &**breakdowns),
        Answer::Annotations(annotations) => snapshots.put(key, &**annotations),
        Answer::History(history) => snapshots.put_history(key, history),
        Answer::Explanation(explanation) => snapshots.put(key, &**explanation),
        Answer::Failed(error) => snapshots.put_trouble(key, *view, &error.trouble(now)),
        Answer::Nothing | Answer::Found(_) => Ok(()),
    }
}

/// How long a stored sign-in that cannot be read is left alone.
const LOCKED_WAIT: Duration = Duration::from_secs(15);

/// Why nothing can be read by a connection for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// PostHog is overloaded or asks to slow down.
    Busy,
    /// The stored sign-in cannot be read on this device.
    Locked,
    /// PostHog cannot be reached.
    Offline,
}

/// What an answer says about the connection.
pub(super) enum Verdict {
    Answered,
    /// It answers, and wants to hear less of what was asked for.
    SlowDown {
        wait: Option<Duration>,
    },
    Down {
        why: Why,
        reason: String,
        wait: Option<Duration>,
    },
    Nothing,
}

pub(super) fn judge(answer: &Answer) -> Verdict {
    match answer {
        Answer::Nothing => Verdict::Nothing,
        Answer::Found(found) => {
            // A host that answers nothing at all has one failure, of itself.
            match found.failures.as_slice() {
                [failure] if found.projects.is_empty() && failure.transient => Verdict::Down {
                    why: match failure.cause {
                        Cause::Locked => Why::Locked,
                        _ => Why::Offline,
                    },
                    reason: failure.reason.clone(),
                    wait: None,
                },
                _ => Verdict::Answered,
            }
        }
        Answer::Failed(ReadError::Api(error)) => match error {
            Error::Unreachable(_) | Error::Redirected(_) => Verdict::Down {
                why: Why::Offline,
                reason: error.to_string(),
                wait: None,
            },
            Error::RateLimited { .. } | Error::ReadBudget { .. } => Verdict::SlowDown {
                wait: error.retry_after(),
            },
            Error::BudgetSpent { .. } | Error::Busy { .. } => Verdict::Down {
                why: Why::Busy,
                reason: error.to_string(),
                wait: error.retry_after(),
            },
            // It costs little to look whether it is unlocked, and nobody is asked to do so.
            Error::Bearer(BearerError::Locked(_)) => Verdict::Down {
                why: Why::Locked,
                reason: error.to_string(),
                wait: Some(LOCKED_WAIT),
            },
            Error::Bearer(BearerError::Unavailable { .. }) => Verdict::Down {
                why: if error.to_string().contains("busy") {
                    Why::Busy
                } else {
                    Why::Offline
                },
                reason: error.to_string(),
                wait: error.retry_after(),
            },
            Error::Bearer(_) | Error::BadAnswer(_) | Error::Server { .. } => Verdict::Nothing,
            _ => Verdict::Answered,
        },
        Answer::Today(_)
        | Answer::Period(_)
        | Answer::Breakdowns(_)
        | Answer::Annotations(_)
        | Answer::History(_)
        | Answer::Explanation(_)
        | Answer::Failed(_) => Verdict::Answered,
    }
}
