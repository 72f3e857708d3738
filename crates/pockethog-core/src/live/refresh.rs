//! Asks PostHog and writes Snapshots. Views read Snapshots and never talk to PostHog.

use std::collections::HashSet;

use futures::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use posthog_api::{Bearer, Client, Error};
use sign_in_with_posthog::{Connection, ConnectionId};
use tokio::task::{JoinError, JoinSet};

use crate::access;
use crate::annotations::{self, Annotations};
use crate::app_context::AppContext;
use crate::causes::{Explanation, Question};
use crate::discovery::{Cause, Discovery, Failure, discover};
use crate::history::{Asked, Due, FEWEST_DAYS, History, MOST_DAYS, Stretch};
use crate::live::due::{self, Policy};
use crate::live::judging;
use crate::moves::Baselines;
use crate::overview::{
    Breakdowns, ClosedDays, DayClock, LeftOut, Period, Range, RowsError, Today, Window,
};
use crate::preferences::Preferences;
use crate::project::{Project, ProjectKey};
use crate::snapshot::{SnapshotError, Snapshots, Trouble, View};

/// Why numbers could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// PostHog or the network said no.
    #[error(transparent)]
    Api(#[from] Error),
    /// The rows are not what was asked for.
    #[error(transparent)]
    Rows(#[from] RowsError),
}

impl ReadError {
    /// What is kept beside the last numbers.
    pub fn trouble(&self, at: Timestamp) -> Trouble {
        let (transient, retry_after) = match self {
            Self::Api(error) => (error.is_transient(), error.retry_after()),
            Self::Rows(_) => (false, None),
        };
        Trouble {
            at,
            reason: self.to_string(),
            transient,
            cause: match self {
                Self::Api(error) => Cause::of(error),
                Self::Rows(_) => Cause::Other,
            },
            retry_at: retry_after
                .and_then(|wait| at.checked_add(SignedDuration::try_from(wait).ok()?).ok()),
        }
    }

    /// True if a shorter range may be answered.
    fn is_too_large(&self) -> bool {
        matches!(
            self,
            Self::Api(Error::TooLarge { .. }) | Self::Rows(RowsError::TooMany(_))
        )
    }

    /// Whether the user has to sign in again.
    pub fn needs_sign_in(&self) -> bool {
        matches!(self, Self::Api(error) if error.needs_sign_in())
    }
}

/// What happened during a refresh, as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The projects of a Connection are known; there are this many projects in all now.
    Discovered,
    /// A project has fresh numbers, or a reason why not.
    Project(ProjectKey),
    /// How many projects have been read, and how many there are.
    Progress {
        /// Read so far.
        done: usize,
        /// To be read in all, as far as known.
        total: usize,
    },
}

/// What is stored of the days before today, for [`today`].
pub fn closed_days(
    snapshots: &Snapshots,
    project: &Project,
    asked: &Asked,
    now: Timestamp,
) -> Option<ClosedDays> {
    let known = snapshots.known_history(&project.key).ok()??;
    if known.asked != *asked {
        return None;
    }
    let history = snapshots.history(&project.key).ok()??;
    history.before_today(asked, &DayClock::new(&project.time_zone, now))
}

/// Today's numbers of one project, by one request. If the days before are known, it reads today alone.
///
/// # Errors
///
/// See [`ReadError`].
pub async fn today<B: Bearer>(
    client: &Client<B>,
    project: &Project,
    asked: &Asked,
    closed: Option<ClosedDays>,
    now: Timestamp,
) -> Result<Today, ReadError> {
    let clock = DayClock::new(&project.time_zone, now);
    let read = async |closed: Option<&ClosedDays>| -> Result<Today, ReadError> {
        let query = asked.left_out.of(Today::query(&clock, asked, closed));
        let rows = client
            .query(project.key.id, project.organization.as_deref(), &query)
            .await?;
        Ok(Today::from_rows(&clock, asked, closed, now, &rows)?)
    };
    if closed.is_some() {
        match read(closed.as_ref()).await {
            Err(ReadError::Rows(RowsError::OtherDays)) => {}
            read => return read,
        }
    }
    read(None).await
}

/// One range of a project, by one request.
///
/// # Errors
///
/// See [`ReadError`].
pub async fn period<B: Bearer>(
    client: &Client<B>,
    project: &Project,
    range: Range,
    (conversions, left_out): (&[String], LeftOut),
    now: Timestamp,
) -> Result<Period, ReadError> {
    let clock = DayClock::new(&project.time_zone, now);
    let window = Window::new(range, &clock);
    let query = left_out.of(Period::query(&window, conversions));
    let rows = client
        .query(project.key.id, project.organization.as_deref(), &query)
        .await?;
    Ok(Period {
        left_out,
        ..Period::from_rows(&clock, &window, conversions, now, &rows)?
    })
}

/// The breakdowns of a project over one range, by one request.
///
/// # Errors
///
/// See [`ReadError`].
pub async fn breakdowns<B: Bearer>(
    client: &Client<B>,
    project: &Project,
    range: Range,
    left_out: LeftOut,
    now: Timestamp,
) -> Result<Breakdowns, ReadError> {
    let clock = DayClock::new(&project.time_zone, now);
    let query = left_out.of(Breakdowns::query(&Window::new(range, &clock)));
    let rows = client
        .query(project.key.id, project.organization.as_deref(), &query)
        .await?;
    Ok(Breakdowns {
        left_out,
        ..Breakdowns::from_rows(range, now, &rows)?
    })
}

/// What made a project move, by one request.
///
/// # Errors
///
/// See [`ReadError`].
pub async fn explanation<B: Bearer>(
    client: &Client<B>,
    project: &Project,
    question: Question,
    now: Timestamp,
) -> Result<Explanation, ReadError> {
    let clock = DayClock::new(&project.time_zone, now);
    let query = Explanation::query(&clock, &question);
    let rows = client
        .query(project.key.id, project.organization.as_deref(), &query)
        .await?;
    Ok(Explanation::from_rows(question, now, &rows)?)
}

/// The annotations of a project, by one request.
///
/// # Errors
///
/// See [`ReadError`].
pub async fn annotations<B: Bearer>(
    client: &Client<B>,
    project: &Project,
    now: Timestamp,
) -> Result<Annotations, ReadError> {
    Ok(annotations::read(client, project.key.id, now).await?)
}

/// The closed days of a project that are due, by one request, with those that are `known`. If they are too many for
/// this PostHog, half as many are asked for, and so on.
///
/// # Errors
///
/// See [`ReadError`].
pub async fn history<B: Bearer>(
    client: &Client<B>,
    project: &Project,
    asked: &Asked,
    known: Option<History>,
    now: Timestamp,
) -> Result<History, ReadError> {
    let clock = DayClock::new(&project.time_zone, now);
    let summary = known.as_ref().map(History::known);
    let mut due = Due::of(summary.as_ref(), asked, &clock, 0);
    if due.seconds > 0
        && let Some(known) = known
    {
        // Another process has read them since this was planned.
        return Ok(known);
    }
    loop {
        let stretch = Stretch::new(&clock, due.days);
        let query = History::query(&stretch, &asked.conversions);
        let mut query = asked.left_out.of(query);
        // Its text does not change within a day, and PostHog would answer it from its cache.
        query.fresh = !due.is_all();
        let answer = client
            .query(project.key.id, project.organization.as_deref(), &query)
            .await
            .map_err(ReadError::from);
        let read = answer.and_then(|rows| {
            let read = History::from_rows(&clock, &stretch, asked.clone(), now, &rows);
            Ok(read?)
        });
        let read = match read {
            Err(error) if error.is_too_large() && due.days > FEWEST_DAYS => {
                due.days = (due.days / 2).max(FEWEST_DAYS);
                continue;
            }
            read => read?,
        };
        if due.is_all() {
            return Ok(History {
                limited_to: (due.days < MOST_DAYS).then_some(due.days),
                ..read
            });
        }
        match known.as_ref().and_then(|known| known.renewed(read)) {
            Some(renewed) => return Ok(renewed),
            None => due = Due::of(None, asked, &clock, 0),
        }
    }
}

/// Stores what Discovery found, as `access::keep_list` does, by a new look at the list of Connections.
///
/// # Errors
///
/// Snapshots that cannot be written.
pub fn keep_discovery(
    program: &AppContext,
    snapshots: &mut Snapshots,
    connection: &ConnectionId,
    found: &Discovery,
) -> Result<(), SnapshotError> {
    let connections = program.sign_in.connections().unwrap_or_default();
    access::keep_list(snapshots, &connections, connection, found)
}

/// What came of reading the projects of several Connections.
#[derive(Debug, Default)]
pub struct Lists {
    /// Connections whose list was read, be it in part.
    pub read: HashSet<ConnectionId>,
    /// What could not be read.
    pub failures: Vec<Failure>,
}

/// Reads the projects of several Connections again, side by side, and stores them. Those that have ended are
/// not asked. `lists` tells what has come so far, also to a caller who does not wait for the end.
///
/// # Errors
///
/// Only if the Snapshots cannot be written; what PostHog refuses is stored as failures.
pub async fn discoveries(
    program: &AppContext,
    snapshots: &mut Snapshots,
    connections: &[Connection],
    lists: &mut Lists,
) -> Result<(), SnapshotError> {
    let mut reading: FuturesUnordered<_> = connections
        .iter()
        .filter(|connection| connection.is_active())
        .map(|connection| async move {
            let client = program.client(connection);
            (connection, discover(&client, connection).await)
        })
        .collect();
    // Each is stored as it arrives: whoever asks may have to leave before the last one does.
    while let Some((connection, found)) = reading.next().await {
        keep_discovery(program, snapshots, &connection.id, &found)?;
        if found.failures.is_empty() || !found.projects.is_empty() {
            lists.read.insert(connection.id.clone());
        }
        lists.failures.extend(found.failures);
    }
    Ok(())
}

/// Refreshes everything the home screen shows: numbers of known projects at once, lists of projects
/// beside them if they are old, then the numbers of projects that are new. If a Connection turns out to
/// have ended, the others at its Host are asked what they reach of it, and read that.
///
/// # Errors
///
/// Only if the Snapshots cannot be read or written.
pub async fn home(
    program: &AppContext,
    snapshots: &mut Snapshots,
    connections: &[Connection],
    preferences: &Preferences,
    wanted: &(dyn Fn(&Project) -> bool + Sync),
    tell: &mut (dyn FnMut(&Snapshots, Event) + Send),
) -> Result<(), SnapshotError> {
    let policy = Policy::on_request(Timestamp::now());
    home_by(
        policy,
        program,
        snapshots,
        connections,
        preferences,
        wanted,
        tell,
    )
    .await
}

/// As [`home`], but only what is due by `policy`.
///
/// # Errors
///
/// As there.
pub async fn home_by(
    policy: Policy,
    program: &AppContext,
    snapshots: &mut Snapshots,
    connections: &[Connection],
    preferences: &Preferences,
    wanted: &(dyn Fn(&Project) -> bool + Sync),
    tell: &mut (dyn FnMut(&Snapshots, Event) + Send),
) -> Result<(), SnapshotError> {
    enum Done {
        Numbers(ConnectionId, ProjectKey, Box<Result<Today, ReadError>>),
        Found(Box<(Connection, crate::discovery::Discovery)>),
    }

    // Tasks of their own: they go on while what has arrived is written down.
    let mut work = JoinSet::new();
    let mut asked = HashSet::new();
    let ask = |work: &mut JoinSet<Done>,
               asked: &mut HashSet<ProjectKey>,
               snapshots: &Snapshots,
               project: Project| {
        let mut owners = connections.iter().filter(|known| known.is_active());
        let Some(connection) = owners.find(|known| known.id == project.connection) else {
            return;
        };
        if asked.insert(project.key.clone()) {
            let client = program.client(connection);
            let (query, now) = (preferences.asked(&project), Timestamp::now());
            let closed = closed_days(snapshots, &project, &query, now);
            work.spawn(async move {
                let result = today(&client, &project, &query, closed, now).await;
                Done::Numbers(project.connection, project.key, Box::new(result))
            });
        }
    };
    let list = |work: &mut JoinSet<Done>, connection: &Connection| {
        let (client, connection) = (program.client(connection), connection.clone());
        work.spawn(async move {
            let found = discover(&client, &connection).await;
            Done::Found(Box::new((connection, found)))
        });
    };
    let all = program.sign_in.connections().unwrap_or_default();
    let mut known = snapshots.projects()?;
    preferences.sort(&mut known);
    known.retain(|project| wanted(project));
    let due = due::Due::of_home(snapshots, &all, known, policy)?;
    let resting: HashSet<ProjectKey> = due.resting.into_iter().collect();
    for project in due.numbers {
        ask(&mut work, &mut asked, snapshots, project);
    }
    for connection in connections {
        if due.lists.contains(&connection.id) {
            list(&mut work, connection);
        }
    }
    let mut done = 0;
    let mut asked_again = 0;
    let mut ended = HashSet::new();
    let total = asked.len();
    tell(snapshots, Event::Progress { done, total });
    while let Some(finished) = burst(&mut work).await {
        let mut read = Vec::new();
        for finished in finished {
            match finished {
                Done::Numbers(connection, key, result) => {
                    if (*result)
                        .as_ref()
                        .err()
                        .is_some_and(ReadError::needs_sign_in)
                    {
                        if ended.insert(connection.clone()) {
                            for other in others_at(connections, &connection) {
                                list(&mut work, other);
                            }
                        }
                        asked.remove(&key);
                        asked_again += 1;
                        // Another one may have taken it over already.
                        let owned = snapshots.project(&key)?;
                        if let Some(project) = owned.filter(|now| now.connection != connection) {
                            ask(&mut work, &mut asked, snapshots, project);
                        }
                    }
                    read.push((key, *result));
                }
                Done::Found(found) => {
                    let (connection, found) = *found;
                    let refused = found.failures.iter().any(|failure| failure.needs_sign_in);
                    if refused && ended.insert(connection.id.clone()) {
                        for other in others_at(connections, &connection.id) {
                            list(&mut work, other);
                        }
                    }
                    keep_discovery(program, snapshots, &connection.id, &found)?;
                    let mut new = found.projects;
                    preferences.sort(&mut new);
                    new.retain(|project| wanted(project) && !resting.contains(&project.key));
                    for project in new {
                        ask(&mut work, &mut asked, snapshots, project);
                    }
                    tell(snapshots, Event::Discovered);
                }
            }
        }
        // A list of projects alone is stored already.
        if !read.is_empty() {
            let keys: Vec<ProjectKey> = read.iter().map(|(key, _)| key.clone()).collect();
            snapshots.together(|snapshots| {
                read.iter().try_for_each(|(key, result)| match result {
                    Ok(today) => snapshots.put(key, today),
                    Err(error) => {
                        let trouble = error.trouble(Timestamp::now());
                        snapshots.put_trouble(key, View::Today, &trouble)
                    }
                })
            })?;
            judging::judge(snapshots, &mut Baselines::default(), preferences, &keys)?;
        }
        done += read.len();
        for (key, _) in read {
            tell(snapshots, Event::Project(key));
        }
        let total = asked.len() + asked_again;
        tell(snapshots, Event::Progress { done, total });
    }
    Ok(())
}

/// The other Connections at the Host of one.
fn others_at<'a>(
    connections: &'a [Connection],
    one: &ConnectionId,
) -> impl Iterator<Item = &'a Connection> {
    let host = connections
        .iter()
        .find(|known| known.id == *one)
        .map(|known| known.host.key());
    let one = one.clone();
    connections
        .iter()
        .filter(move |known| known.is_active() && known.id != one)
        .filter(move |known| Some(known.host.key()) == host)
}

/// Waits for a task to end, and takes what else has ended by then: answers come in bursts, and are written
/// together. `None` if there is no task.
pub(crate) async fn burst<T: 'static>(tasks: &mut JoinSet<T>) -> Option<Vec<T>> {
    let mut next = Some(tasks.join_next().await?);
    let mut burst = Vec::new();
    while let Some(joined) = next {
        match joined.map_err(JoinError::try_into_panic) {
            Ok(done) => burst.push(done),
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // Nobody cancels them.
            Err(Err(_)) => {}
        }
        next = tasks.try_join_next();
    }
    Some(burst)
}
