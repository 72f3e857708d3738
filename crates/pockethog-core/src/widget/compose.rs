//! From Snapshots and Connections to what a widget shows.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId, EndReason};

use super::content::{self, Content, Numbers, Row, State};
use super::{Asked, Request, Which};
use crate::access;
use crate::age;
use crate::annotations::Annotations;
use crate::live::due::Policy;
use crate::moves::Judged;
use crate::overview::Today;
use crate::preferences::{Preferences, Scheme};
use crate::project::{Project, ProjectKey};
use crate::snapshot::{KnownDiscovery, SnapshotError, Snapshots, Trouble, View};

/// Puts together what is known. Never fails: what cannot be read is in the content.
pub fn compose(
    asked: &Asked<'_>,
    snapshots: Option<&Snapshots>,
    connections: &[Connection],
) -> Content {
    let now = Timestamp::now();
    let request = asked.request;
    if connections.is_empty() {
        let sentence = "Sign in first: `pockethog login us` or `pockethog login eu`.";
        return Content::empty(request, now, State::NeverSignedIn, sentence.to_owned());
    }
    let found = match snapshots {
        None => Ok(Known::default()),
        Some(snapshots) => Known::read(asked, snapshots, connections),
    };
    match found {
        Ok(known) => known.into_content(asked, connections, now),
        Err(error) => {
            // The refresh opens the database to write, and sets a broken one aside.
            let mut content = Content::failed(request, now, error.to_string());
            content.undiscovered = active(connections).map(|known| known.id.clone()).collect();
            content
        }
    }
}

/// What the Snapshots know about what was asked for.
#[derive(Default)]
struct Known {
    /// Chosen projects, or the sentence why one could not be chosen.
    chosen: Vec<Project>,
    unknown: Option<String>,
    numbers: HashMap<ProjectKey, Numbers>,
    troubles: HashMap<ProjectKey, Trouble>,
    judged: HashMap<ProjectKey, Judged>,
    /// Of the only project.
    annotations: Vec<Timestamp>,
    discoveries: HashMap<ConnectionId, KnownDiscovery>,
}

impl Known {
    fn read(
        asked: &Asked<'_>,
        snapshots: &Snapshots,
        connections: &[Connection],
    ) -> Result<Self, SnapshotError> {
        let mut known = Self::default();
        let mut projects = snapshots.projects()?;
        access::keep_shown(&mut projects, connections);
        for connection in connections {
            if let Some(found) = snapshots.discovery(&connection.id)? {
                known.discoveries.insert(connection.id.clone(), found);
            }
        }
        known.choose(asked, projects);
        let view = asked.request.range.map_or(View::Today, View::Period);
        for project in &known.chosen {
            let key = &project.key;
            let numbers = if let View::Period(_) = view {
                snapshots.view(key, view)?.map(Numbers::of_period)
            } else {
                let today: Option<Today> = snapshots.view(key, view)?;
                // What was judged of another day says nothing about this one.
                let judged = snapshots.judged(key)?.filter(|judged| {
                    let began = today.as_ref().and_then(Today::began);
                    began == Some(judged.day_began)
                });
                known
                    .judged
                    .extend(judged.map(|judged| (key.clone(), judged)));
                today.map(Numbers::of_today)
            };
            if let Some(numbers) = numbers {
                known.numbers.insert(key.clone(), numbers);
            }
            if let Some(trouble) = snapshots.trouble(key, view)? {
                known.troubles.insert(key.clone(), trouble);
            }
        }
        if let [project] = known.chosen.as_slice() {
            let annotations: Option<Annotations> =
                snapshots.view(&project.key, View::Annotations)?;
            let annotations = annotations
                .into_iter()
                .flat_map(|annotations| annotations.annotations);
            known.annotations = annotations.map(|annotation| annotation.at).collect();
        }
        Ok(known)
    }

    fn choose(&mut self, asked: &Asked<'_>, mut projects: Vec<Project>) {
        let preferences = asked.preferences;
        match &asked.request.which {
            Which::Total => {
                projects.retain(|project| !preferences.project(&project.key).hidden);
                preferences.sort(&mut projects);
                self.chosen = projects;
            }
            Which::Favourites => {
                projects.retain(|project| preferences.project(&project.key).favourite);
                preferences.sort(&mut projects);
                self.chosen = projects;
            }
            Which::Named(names) => {
                for name in names {
                    match (asked.resolve)(name, &projects, preferences) {
                        Ok(key) => self
                            .chosen
                            .extend(projects.iter().find(|project| project.key == key).cloned()),
                        Err(sentence) => {
                            self.unknown.get_or_insert(sentence);
                        }
                    }
                }
            }
        }
    }

    fn into_content(
        mut self,
        asked: &Asked<'_>,
        connections: &[Connection],
        now: Timestamp,
    ) -> Content {
        let request = asked.request;
        let mut content = Content::empty(request, now, State::Fresh, String::new());
        content.scheme = asked.preferences.scheme;
        for project in std::mem::take(&mut self.chosen) {
            let row = self.row(asked, connections, project, &content);
            content.rows.push(row);
        }
        content.title = content::title(&request.which, &content.rows);
        if let [row] = content.rows.as_slice() {
            content.scheme = scheme_of(asked.preferences, row);
        }
        content.old_lists = self.old_lists(policy(asked, now), connections);
        // Names and empty lists cannot wait for the next time.
        let list_decides = self.unknown.is_some() || content.rows.is_empty();
        content.undiscovered.clone_from(&content.old_lists);
        content.undiscovered.retain(|id| {
            list_decides
                || self.discoveries.get(id).is_none_or(|found| {
                    let connection = connections.iter().find(|known| known.id == *id);
                    // It may reach what another one has left.
                    connection.is_some_and(|connection| {
                        access::is_outdated(found, connection, connections, now)
                    })
                })
        });
        let concerned: HashSet<&ConnectionId> = content
            .rows
            .iter()
            .map(|row| &row.project.connection)
            .collect();
        content.failures = connections
            .iter()
            .filter(|known| content.summed || concerned.contains(&known.id) || known.is_active())
            .flat_map(|connection| match access::failure(connection) {
                Some(ended) => vec![ended],
                None if connection.is_active() => {
                    let found = self.discoveries.remove(&connection.id);
                    found.map(|found| found.failures).unwrap_or_default()
                }
                None => Vec::new(),
            })
            .collect();
        (content.state, content.sentence) = judge(&content, request, connections, self.unknown);
        content
    }

    fn row(
        &mut self,
        asked: &Asked<'_>,
        connections: &[Connection],
        project: Project,
        content: &Content,
    ) -> Row {
        let connection = connections
            .iter()
            .find(|known| known.id == project.connection);
        let ended = connection.and_then(Connection::ended_by_itself);
        let mut numbers = self.numbers.remove(&project.key);
        let seen = |at| age::trusted(at, content.now);
        let trouble = self.troubles.remove(&project.key).filter(|trouble| {
            let newest = numbers
                .as_ref()
                .is_none_or(|numbers| seen(numbers.measured_at) < seen(trouble.at));
            newest && connection.is_none_or(|connection| !trouble.is_before(connection))
        });
        // What was measured since this process began is as fresh as can be.
        let old = numbers.as_ref().is_none_or(|numbers| {
            content.is_stale(numbers.measured_at)
                && !age::is_since(numbers.measured_at, asked.started, content.now)
        });
        let measured = numbers.as_ref().map(|numbers| numbers.measured_at);
        let wanted = asked.preferences.left_out(&project.key);
        let measured = measured.filter(|_| {
            numbers
                .as_ref()
                .is_some_and(|numbers| numbers.left_out == wanted)
        });
        let is_due = connection.is_none_or(|connection| {
            policy(asked, content.now).view(measured, trouble.as_ref(), connection) == 0
        });
        let state = match (&ended, old, &trouble, &numbers) {
            (Some(_), ..) => State::SignedOut,
            (None, true, Some(trouble), _) => State::of(trouble.cause),
            (None, true, None, _) => State::Stale,
            (None, false, _, Some(numbers)) if !numbers.has_events => State::Empty,
            (None, false, ..) => State::Fresh,
        };
        // What could not be read again, or is old, says nothing about now.
        let is_of_now = matches!(state, State::Fresh | State::Empty | State::Stale);
        let judged = self.judged.remove(&project.key);
        let judged = judged.filter(|judged| is_of_now && judged.speaks_of(content.now));
        let moved = match (&mut numbers, &judged) {
            (Some(numbers), Some(judged)) => numbers.compare(judged, content.now),
            _ => None,
        };
        Row {
            name: asked.preferences.name_of(&project).to_owned(),
            address: connection.map(|known| {
                let base = known.host.base_url().as_str().trim_end_matches('/');
                format!("{base}/project/{}/web", project.key.id)
            }),
            moved,
            due: ended.is_none() && is_due,
            annotations: std::mem::take(&mut self.annotations),
            numbers,
            trouble,
            ended,
            state,
            project,
        }
    }

    /// The Connections whose list of projects is due.
    fn old_lists(&self, policy: Policy, connections: &[Connection]) -> HashSet<ConnectionId> {
        active(connections)
            .filter(|connection| {
                let found = self.discoveries.get(&connection.id);
                policy.list(found, connection, connections) == 0
            })
            .map(|connection| connection.id.clone())
            .collect()
    }
}

/// What is due for this request. What this process has asked for it does not ask for again.
fn policy(asked: &Asked<'_>, now: Timestamp) -> Policy {
    let max_age = i64::try_from(asked.request.max_age.as_secs()).unwrap_or(i64::MAX);
    let policy = match max_age {
        0 => Policy::on_request(now),
        _ => Policy::new(now, max_age),
    };
    policy.in_run_since(asked.started)
}

/// The state of it all, with its sentence.
fn judge(
    content: &Content,
    request: &Request,
    connections: &[Connection],
    unknown: Option<String>,
) -> (State, Option<String>) {
    if active(connections).next().is_none() {
        let by_itself = connections.iter().find_map(Connection::ended_by_itself);
        let reason = by_itself.unwrap_or(EndReason::SignedOut);
        return (State::SignedOut, Some(reason.sentence().to_owned()));
    }
    if let Some(sentence) = unknown {
        return (State::UnknownProject, Some(sentence));
    }
    if content.rows.is_empty() {
        return match (content.failures.first(), &request.which) {
            _ if !content.undiscovered.is_empty() => (
                State::Stale,
                Some("The projects have not been listed yet.".to_owned()),
            ),
            (Some(failure), _) if failure.needs_sign_in => {
                (State::SignedOut, Some(failure.reason.clone()))
            }
            (Some(failure), _) => (
                State::of(failure.cause),
                Some(format!("{}: {}", failure.what, failure.reason)),
            ),
            (None, Which::Favourites) => (
                State::NoProjects,
                Some("No project is marked as a favourite.".to_owned()),
            ),
            (None, _) => (
                State::NoProjects,
                Some("The sign-in can read no project.".to_owned()),
            ),
        };
    }
    let worst = content
        .rows
        .iter()
        .max_by_key(|row| row.state)
        .filter(|row| row.state > State::Empty);
    let Some(worst) = worst else {
        let all_empty = content.rows.iter().all(|row| row.state == State::Empty);
        return match content.failures.first() {
            Some(failure) if content.summed => (
                State::Partly,
                Some(format!("{}: {}", failure.what, failure.reason)),
            ),
            _ if all_empty => (
                State::Empty,
                Some("There were no events in this period.".to_owned()),
            ),
            _ => (State::Fresh, None),
        };
    };
    let sentence = match (worst.ended, &worst.trouble) {
        (Some(reason), _) => reason.sentence().to_owned(),
        (None, Some(trouble)) => trouble.reason.clone(),
        (None, None) if worst.state == State::Throttled => {
            "PostHog asked us to slow down".to_owned()
        }
        (None, None) if worst.numbers.is_some() => return (worst.state, None),
        (None, None) => "Not read yet.".to_owned(),
    };
    // Where others are fine, one bad project does not take them along.
    let fine = content
        .rows
        .iter()
        .filter(|row| row.state <= State::Empty)
        .count();
    let several = content.rows.len() > 1;
    if several && fine > 0 {
        let owner = connections
            .iter()
            .find(|known| worst.ended.is_some() && known.id == worst.project.connection);
        let name = owner.map_or_else(|| worst.name.clone(), access::name);
        return (State::Partly, Some(format!("{name}: {sentence}")));
    }
    (worst.state, Some(sentence))
}

fn active(connections: &[Connection]) -> impl Iterator<Item = &Connection> {
    connections.iter().filter(|known| known.is_active())
}

fn scheme_of(preferences: &Preferences, row: &Row) -> Scheme {
    preferences
        .project(&row.project.key)
        .scheme
        .unwrap_or(preferences.scheme)
}
