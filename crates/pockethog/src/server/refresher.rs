//! Asks PostHog for what is looked at, and for nothing else.
//!
//! One task. Open pages say what they look at; from that, from the age of the Snapshots and from the
//! cadence of the preferences comes a list of what is due, the first first: lists of projects, projects of
//! an open project page, favourites and visible cards, then everything else that counts into the total. With
//! no page open the task sleeps and costs nothing.
//!
//! A Snapshot that a widget or another program has just written is not asked for again. A connection that
//! does not answer is left alone for a while that grows, then tried with one request. Each key and
//! organization has a budget below PostHog's limits ([`posthog_api::Pace`]); where a refresh at the chosen
//! cadence would spend it, the cadence is stretched. docs/limits.md has the figures.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use posthog_api::{BearerError, Error};
use sign_in_with_posthog::{Connection, ConnectionId};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::events::Change;
use super::state::{State, lock};
use crate::discovery::{Discovery, discover};
use crate::format::ago;
use crate::notes::Notes;
use crate::overview::{Breakdowns, Period, Range, Today};
use crate::pages::Status;
use crate::preferences::{Cadence, Preferences};
use crate::project::{Project, ProjectKey};
use crate::refresh::{self, DISCOVERY_SECONDS, ReadError};
use crate::snapshot::{SnapshotError, Snapshots, Stamp, Trouble, View, Viewed};

/// Requests under way at a time. The pace of each connection bounds them; this bounds the memory they take.
const MOST_AT_ONCE: usize = 256;

/// What nobody sees, but counts into the total, is read this often, in seconds.
const UNSEEN_SECONDS: i64 = 900;

/// What PostHog refuses for good is asked again this often, in seconds: permissions change.
const REFUSED_SECONDS: i64 = 600;

/// While a page is open, what other programs wrote is looked for this often.
const LOOK_AROUND: Duration = Duration::from_secs(5);

/// A page that was read and opened no stream counts as looked at for this long.
const GLANCE_TIME: Duration = Duration::from_secs(30);

/// First wait after a connection did not answer, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(4);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// What an open page looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// The home page: all projects, these first.
    Home(Vec<ProjectKey>),
    /// A project page with a range: its numbers, breakdowns and annotations.
    Project(ProjectKey, Range),
}

/// The one background task of the app, and what it knows.
#[derive(Clone, Debug, Default)]
pub struct Refresher(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    watched: Mutex<Watched>,
    health: Mutex<HashMap<ConnectionId, Health>>,
    /// Read so far and to be read in all, while numbers are missing or old.
    progress: Mutex<Option<(usize, usize)>>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Watched {
    last: u64,
    interests: HashMap<u64, Interest>,
    glances: Vec<(Interest, Instant)>,
}

/// Keeps an [`Interest`] alive until it is dropped.
#[derive(Debug)]
pub struct Watch {
    number: u64,
    refresher: Refresher,
}

/// A connection that does not answer.
#[derive(Clone, Debug)]
pub struct Health {
    busy: bool,
    reason: String,
    failures: u32,
    until: Instant,
}

impl Health {
    /// Why, in the error's words.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl Refresher {
    /// Looks after `interest` until the result is dropped.
    pub fn watch(&self, interest: Interest) -> Watch {
        let mut watched = lock(&self.0.watched);
        watched.last += 1;
        let number = watched.last;
        watched.interests.insert(number, interest);
        self.0.wake.notify_one();
        Watch {
            number,
            refresher: self.clone(),
        }
    }

    /// Looks after `interest` for a while: for a page without script, which opens no stream.
    pub fn glance(&self, interest: Interest) {
        let mut watched = lock(&self.0.watched);
        let until = Instant::now() + GLANCE_TIME;
        let mut glances = watched.glances.iter_mut();
        if let Some((_, known_until)) = glances.find(|(known, _)| *known == interest) {
            // The page was read again; what is due is known.
            *known_until = until;
        } else {
            watched.glances.push((interest, until));
            self.0.wake.notify_one();
        }
    }

    /// Thinks again about what is due: somebody signed in, or chose other conversions.
    pub fn hurry(&self) {
        self.0.wake.notify_one();
    }

    /// Why a connection does not answer, while it does not.
    pub fn health(&self, connection: &ConnectionId) -> Option<Health> {
        lock(&self.0.health).get(connection).cloned()
    }

    /// See [`State::status`].
    pub(super) fn status(
        &self,
        active: &[&ConnectionId],
        oldest: Option<Timestamp>,
        cadence: Cadence,
        now: Timestamp,
    ) -> Status {
        let age = oldest.map(|oldest| ago(oldest, now));
        let health = lock(&self.0.health);
        let down: Vec<&Health> = active.iter().filter_map(|id| health.get(*id)).collect();
        if !down.is_empty() && down.len() == active.len() {
            return if down.iter().all(|health| health.busy) {
                Status::Busy(age.unwrap_or_else(|| "trying again".to_owned()))
            } else {
                Status::Offline(age)
            };
        }
        if let Some((done, total)) = *lock(&self.0.progress) {
            return Status::Loading { done, total };
        }
        let fresh = i64::try_from(cadence.seconds()).unwrap_or(i64::MAX) * 2 + 15;
        match (oldest, age) {
            (Some(oldest), Some(age)) if now.as_second() - oldest.as_second() > fresh => {
                Status::Updated(age)
            }
            _ => Status::Live,
        }
    }

    /// What is looked at now.
    fn interests(&self) -> Vec<Interest> {
        let mut watched = lock(&self.0.watched);
        let now = Instant::now();
        watched.glances.retain(|(_, until)| *until > now);
        watched
            .interests
            .values()
            .chain(watched.glances.iter().map(|(interest, _)| interest))
            .cloned()
            .collect()
    }

    /// Notes that a connection answered. True where it had not before.
    fn well(&self, connection: &ConnectionId) -> bool {
        lock(&self.0.health).remove(connection).is_some()
    }

    /// Notes that a connection did not answer, unless that is known already.
    fn ill(&self, connection: &ConnectionId, busy: bool, reason: String, wait: Option<Duration>) {
        let now = Instant::now();
        let mut health = lock(&self.0.health);
        let failures = match health.get(connection) {
            Some(known) if known.until > now && wait.is_none() => return,
            Some(known) => known.failures + 1,
            None => 1,
        };
        let doubled = FIRST_WAIT * 2_u32.saturating_pow(failures.min(10) - 1);
        // Devices that lost the same PostHog at the same time do not come back at the same time.
        let jittered = doubled
            .min(LONGEST_WAIT)
            .mul_f64(0.8 + fastrand::f64() * 0.4);
        let until = now + wait.unwrap_or(jittered);
        health.insert(
            connection.clone(),
            Health {
                busy,
                reason,
                failures,
                until,
            },
        );
    }
}

impl Watch {
    /// Looks at something else from now on.
    pub fn look_at(&self, interest: Interest) {
        let mut watched = lock(&self.refresher.0.watched);
        let known = watched.interests.insert(self.number, interest.clone());
        if known != Some(interest) {
            self.refresher.0.wake.notify_one();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.refresher.0.watched)
            .interests
            .remove(&self.number);
        self.refresher.0.wake.notify_one();
    }
}

/// Something to be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Job {
    Discover(ConnectionId),
    Read(ProjectKey, View),
}

impl Job {
    /// The project whose numbers of today this reads.
    fn today(&self) -> Option<&ProjectKey> {
        match self {
            Self::Read(key, View::Today) => Some(key),
            _ => None,
        }
    }
}

/// What is due, and when to think about it again.
#[derive(Default)]
struct Plan {
    jobs: VecDeque<(Job, ConnectionId, Option<Project>)>,
    next: Option<Duration>,
    /// Projects whose numbers of today are missing or old.
    behind: Vec<ProjectKey>,
    connections: HashMap<ConnectionId, Connection>,
    preferences: Preferences,
    stamp: Option<Stamp>,
}

/// An answer.
struct Done {
    job: Job,
    connection: ConnectionId,
    answer: Answer,
}

enum Answer {
    /// Somebody else has asked meanwhile.
    Known,
    Found(Discovery),
    Today(Box<Today>),
    Period(Box<Period>),
    Breakdowns(Box<Breakdowns>),
    Notes(Box<Notes>),
    Failed(ReadError),
}

/// Runs until the app ends.
pub(super) async fn run(state: Arc<State>) {
    let mut task = Task {
        state,
        running: FuturesUnordered::new(),
        under_way: HashSet::new(),
        plan: Plan::default(),
        round: HashMap::new(),
        active: Vec::new(),
        stamp: None,
    };
    task.run().await;
}

struct Task {
    state: Arc<State>,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
    under_way: HashSet<Job>,
    plan: Plan,
    /// Projects whose numbers of today were missing or old, and whether they have been read since.
    round: HashMap<ProjectKey, bool>,
    active: Vec<ConnectionId>,
    /// Of the Snapshots, when the last plan was made.
    stamp: Option<Stamp>,
}

impl Task {
    async fn run(&mut self) {
        let refresher = self.state.refresher().clone();
        let state = Arc::clone(&self.state);
        loop {
            self.think().await;
            loop {
                let blocked = self.start();
                self.tell_progress();
                let wait = match (blocked, self.plan.next) {
                    (Some(blocked), Some(next)) => Some(blocked.min(next)),
                    (blocked, next) => blocked.or(next),
                };
                let rest = async {
                    match wait {
                        Some(wait) => tokio::time::sleep(wait).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    Some(done) = self.running.next(), if !self.running.is_empty() => {
                        if self.take(done).await { break; }
                    }
                    () = refresher.0.wake.notified() => break,
                    () = rest => break,
                    () = state.closed() => return,
                }
            }
        }
    }

    /// Makes a new plan.
    async fn think(&mut self) {
        let interests = self.state.refresher().interests();
        let (under_way, stamp) = (self.under_way.clone(), self.stamp);
        let before = std::mem::take(&mut self.active);
        let planned = self
            .state
            .blocking(move |state| plan(state, &interests, stamp, &under_way))
            .await;
        match planned {
            Ok(plan) => {
                self.stamp = plan.stamp;
                self.plan = plan;
            }
            Err(error) => {
                tracing::warn!(%error, "nothing can be refreshed");
                self.plan = Plan {
                    next: Some(LONGEST_WAIT),
                    ..Plan::default()
                };
            }
        }
        self.active = self.plan.connections.keys().cloned().collect();
        for id in before.iter().filter(|id| !self.active.contains(id)) {
            // Signed out by another program, or found out to have ended.
            self.state.announce(Change::SignedOut(id.clone()));
        }
        // A routine refresh of numbers that are fresh enough is not worth a word.
        for key in &self.plan.behind {
            self.round.entry(key.clone()).or_insert(false);
        }
        let due: HashSet<&ProjectKey> = self
            .plan
            .jobs
            .iter()
            .map(|(job, ..)| job)
            .chain(&self.under_way)
            .filter_map(Job::today)
            .collect();
        // What nobody looks at any more will not be read.
        self.round.retain(|key, done| *done || due.contains(key));
        self.end_round();
    }

    /// Forgets a round of which everything has been read.
    fn end_round(&mut self) {
        if self.round.values().all(|done| *done) {
            self.round.clear();
        }
    }

    fn tell_progress(&self) {
        let done = self.round.values().filter(|done| **done).count();
        let now = (!self.round.is_empty()).then_some((done, self.round.len()));
        let mut told = lock(&self.state.refresher().0.progress);
        if *told == now {
            return;
        }
        let before = std::mem::replace(&mut *told, now);
        drop(told);
        match (now, before) {
            (Some((done, total)), _) => self.state.announce(Change::Progress { done, total }),
            (None, Some((_, total))) => {
                self.state.announce(Change::Progress { done: total, total });
                self.state.announce(Change::Status);
            }
            (None, None) => {}
        }
    }

    /// Starts what may start. Answers how long to wait where something may not.
    fn start(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let mut later = VecDeque::new();
        let mut wait: Option<Duration> = None;
        let mut sooner = |new: Duration| wait = Some(wait.map_or(new, |known| known.min(new)));
        while self.running.len() < MOST_AT_ONCE
            && let Some((job, id, project)) = self.plan.jobs.pop_front()
        {
            let Some(connection) = self.plan.connections.get(&id).cloned() else {
                continue;
            };
            if let Some(health) = self.state.refresher().health(&id) {
                if health.until > now {
                    sooner(health.until - now);
                    later.push_back((job, id, project));
                    continue;
                }
                // One request finds out whether it answers again.
                if self.is_asking(&id) {
                    later.push_back((job, id, project));
                    continue;
                }
            }
            self.under_way.insert(job.clone());
            let work = ask(
                Arc::clone(&self.state),
                job,
                connection,
                project,
                self.plan.preferences.clone(),
            );
            self.running.push(Box::pin(work));
        }
        later.append(&mut self.plan.jobs);
        self.plan.jobs = later;
        wait
    }

    /// True where a request of this connection is under way.
    fn is_asking(&self, id: &ConnectionId) -> bool {
        let of = |key: &ProjectKey| {
            self.plan
                .connections
                .get(id)
                .is_some_and(|connection| connection.host.key() == key.host)
        };
        self.under_way.iter().any(|job| match job {
            Job::Discover(known) => known == id,
            Job::Read(key, _) => of(key),
        })
    }

    /// Stores an answer and tells of it. True where the plan has to be made anew.
    async fn take(&mut self, done: Done) -> bool {
        let Done {
            job,
            connection,
            answer,
        } = done;
        self.under_way.remove(&job);
        let refresher = self.state.refresher().clone();
        match judge(&answer) {
            Verdict::Answered => {
                if refresher.well(&connection) {
                    self.state.announce(Change::Status);
                }
            }
            Verdict::Down { busy, reason, wait } => {
                refresher.ill(&connection, busy, reason, wait);
                self.state.announce(Change::Status);
            }
            Verdict::Nothing => {}
        }
        let signed_out = matches!(&answer, Answer::Failed(error) if error.needs_sign_in())
            || matches!(&answer, Answer::Found(found)
                if found.failures.iter().any(|failure| failure.needs_sign_in));
        let change = match &job {
            Job::Discover(_) => Change::Projects,
            Job::Read(key, view) => Change::View(key.clone(), *view),
        };
        if let Some(done) = job.today().and_then(|key| self.round.get_mut(key)) {
            *done = true;
            self.end_round();
        }
        let anew = signed_out || matches!(job, Job::Discover(_));
        let stored = self
            .state
            .blocking(move |state| store(state, &job, &connection, answer))
            .await;
        if let Err(error) = stored {
            tracing::warn!(%error, "an answer could not be kept");
        }
        self.state.announce(change);
        anew
    }
}

/// Asks PostHog, unless somebody else just did.
async fn ask(
    state: Arc<State>,
    job: Job,
    connection: Connection,
    project: Option<Project>,
    preferences: Preferences,
) -> Done {
    let client = state.program().client(&connection);
    let answer = match (&job, &project) {
        (Job::Discover(_), _) => Answer::Found(discover(&client, &connection).await),
        (Job::Read(key, view), Some(project)) => {
            let (key, view) = (key.clone(), *view);
            let (cadence, chosen) = (cadence(&preferences), preferences.clone());
            let known = state
                .blocking(move |state| {
                    let measured = measured_at(&state.snapshots(), &chosen, &key, view);
                    is_fresh(measured, cadence, Timestamp::now())
                })
                .await;
            let now = Timestamp::now();
            if known {
                Answer::Known
            } else {
                let read = match view {
                    View::Today => refresh::today(&client, project, now)
                        .await
                        .map(|today| Answer::Today(Box::new(today))),
                    View::Period(range) => {
                        let events = preferences.project(&project.key).conversions;
                        refresh::period(&client, project, range, &events, now)
                            .await
                            .map(|period| Answer::Period(Box::new(period)))
                    }
                    View::Breakdowns(range) => refresh::breakdowns(&client, project, range, now)
                        .await
                        .map(|breakdowns| Answer::Breakdowns(Box::new(breakdowns))),
                    View::Notes => refresh::notes(&client, project, now)
                        .await
                        .map(|notes| Answer::Notes(Box::new(notes))),
                };
                read.unwrap_or_else(Answer::Failed)
            }
        }
        (Job::Read(..), None) => Answer::Known,
    };
    Done {
        job,
        connection: connection.id,
        answer,
    }
}

fn store(
    state: &State,
    job: &Job,
    connection: &ConnectionId,
    answer: Answer,
) -> Result<(), SnapshotError> {
    let now = Timestamp::now();
    let mut snapshots = state.snapshots();
    match (job, answer) {
        (Job::Discover(_), Answer::Found(found)) => {
            refresh::keep_discovery(state.program(), &mut snapshots, connection, &found)
        }
        (Job::Read(key, _), Answer::Today(today)) => snapshots.put(key, &*today),
        (Job::Read(key, _), Answer::Period(period)) => snapshots.put(key, &*period),
        (Job::Read(key, _), Answer::Breakdowns(breakdowns)) => snapshots.put(key, &*breakdowns),
        (Job::Read(key, _), Answer::Notes(notes)) => snapshots.put(key, &*notes),
        (Job::Read(key, view), Answer::Failed(error)) => {
            snapshots.put_trouble(key, *view, &error.trouble(now))
        }
        _ => Ok(()),
    }
}

/// What an answer says about the connection.
enum Verdict {
    Answered,
    Down {
        busy: bool,
        reason: String,
        wait: Option<Duration>,
    },
    Nothing,
}

fn judge(answer: &Answer) -> Verdict {
    match answer {
        Answer::Known => Verdict::Nothing,
        Answer::Found(found) => {
            // A host that answers nothing at all has one failure, of itself.
            match found.failures.as_slice() {
                [failure] if found.projects.is_empty() && failure.transient => Verdict::Down {
                    busy: false,
                    reason: failure.reason.clone(),
                    wait: None,
                },
                _ => Verdict::Answered,
            }
        }
        Answer::Today(_) | Answer::Period(_) | Answer::Breakdowns(_) | Answer::Notes(_) => {
            Verdict::Answered
        }
        Answer::Failed(ReadError::Api(error)) => match error {
            Error::Unreachable(_) | Error::Redirected(_) => Verdict::Down {
                busy: false,
                reason: error.to_string(),
                wait: None,
            },
            Error::RateLimited { .. } | Error::BudgetSpent { .. } | Error::Busy { .. } => {
                Verdict::Down {
                    busy: true,
                    reason: error.to_string(),
                    wait: error.retry_after(),
                }
            }
            Error::Bearer(BearerError::Unavailable { .. }) => Verdict::Down {
                busy: error.to_string().contains("busy"),
                reason: error.to_string(),
                wait: error.retry_after(),
            },
            Error::Bearer(_) | Error::BadAnswer(_) | Error::Server { .. } => Verdict::Nothing,
            _ => Verdict::Answered,
        },
        Answer::Failed(_) => Verdict::Answered,
    }
}

/// Lists what is due.
fn plan(
    state: &State,
    interests: &[Interest],
    stamp: Option<Stamp>,
    under_way: &HashSet<Job>,
) -> Result<Plan, super::PageError> {
    let (preferences, _) = state.preferences();
    let connections: HashMap<ConnectionId, Connection> = state
        .connections()?
        .into_iter()
        .filter(Connection::is_active)
        .map(|connection| (connection.id.clone(), connection))
        .collect();
    let mut maker = Maker {
        now: Timestamp::now(),
        cadence: cadence(&preferences),
        stretched: HashMap::new(),
        connections: &connections,
        down: lock(&state.refresher().0.health).keys().cloned().collect(),
        under_way,
        seen: HashSet::new(),
        plan: Plan::default(),
    };
    if !interests.is_empty() {
        let board = state.board()?;
        let now = state.snapshots().stamp()?;
        if stamp.is_some_and(|then| now.others_wrote_since(then)) {
            tell_all(state, interests);
        }
        maker.plan.stamp = Some(now);
        for (id, connection) in &connections {
            let found = state.snapshots().discovery(id)?;
            maker.discovery(connection, found.as_ref());
        }
        let by_key: HashMap<&ProjectKey, &Project> = board
            .projects
            .iter()
            .map(|project| (&project.key, project))
            .collect();
        for interest in interests {
            if let Interest::Project(key, range) = interest
                && let Some(project) = by_key.get(key)
            {
                let snapshots = state.snapshots();
                for view in views_of(*range) {
                    let measured = measured_at(&snapshots, &preferences, key, view);
                    let trouble = snapshots.trouble(key, view)?;
                    maker.read(project, view, measured, trouble.as_ref(), true);
                }
            }
        }
        let mut at_home = false;
        let seen: HashSet<&ProjectKey> = interests
            .iter()
            .flat_map(|interest| match interest {
                Interest::Home(visible) => visible.as_slice(),
                Interest::Project(key, _) => std::slice::from_ref(key),
            })
            .collect();
        maker.stretched = stretch(state, &connections, &board.projects, &seen);
        for interest in interests {
            if let Interest::Home(visible) = interest {
                at_home = true;
                let visible = visible.iter().filter_map(|key| by_key.get(key));
                let favourites = board
                    .projects
                    .iter()
                    .filter(|project| preferences.project(&project.key).favourite);
                for project in favourites.chain(visible.copied()) {
                    let glance = board.glance(&project.key).map(|glance| glance.measured_at);
                    maker.read(
                        project,
                        View::Today,
                        glance,
                        board.trouble(&project.key),
                        true,
                    );
                }
            }
        }
        if at_home {
            let mut rest: Vec<&Project> = board.projects.iter().collect();
            rest.sort_by_key(|project| board.asked_at(&project.key));
            for project in rest {
                let chosen = preferences.projects.get(&project.key.to_string());
                if chosen.is_some_and(|chosen| chosen.hidden) {
                    continue;
                }
                let glance = board.glance(&project.key).map(|glance| glance.measured_at);
                maker.read(
                    project,
                    View::Today,
                    glance,
                    board.trouble(&project.key),
                    false,
                );
            }
        }
    }
    let mut plan = maker.plan;
    if !interests.is_empty() {
        plan.next = Some(plan.next.map_or(LOOK_AROUND, |next| next.min(LOOK_AROUND)));
    }
    plan.connections = connections;
    plan.preferences = preferences;
    Ok(plan)
}

/// What a project page shows, the first first.
fn views_of(range: Range) -> [View; 4] {
    [
        View::Period(range),
        View::Notes,
        View::Breakdowns(range),
        View::Today,
    ]
}

/// Another program wrote something, and did not say what.
fn tell_all(state: &State, interests: &[Interest]) {
    state.announce(Change::Projects);
    for interest in interests {
        if let Interest::Project(key, range) = interest {
            for view in views_of(*range) {
                state.announce(Change::View(key.clone(), view));
            }
        }
    }
}

/// Whose queries are counted together at most: a connection's in one organization.
type Purse = (ConnectionId, Option<String>);

fn purse(project: &Project) -> Purse {
    (project.connection.clone(), project.organization.clone())
}

/// Seconds between two reads of a project, so that three quarters of each budget suffice for what is seen
/// and a quarter for what is not.
fn stretch(
    state: &State,
    connections: &HashMap<ConnectionId, Connection>,
    projects: &[Project],
    seen: &HashSet<&ProjectKey>,
) -> HashMap<Purse, (i64, i64)> {
    let mut counts: HashMap<Purse, (i64, i64)> = HashMap::new();
    for project in projects {
        let count = counts.entry(purse(project)).or_default();
        if seen.contains(&project.key) {
            count.0 += 1;
        } else {
            count.1 += 1;
        }
    }
    for ((id, organization), (seen, unseen)) in &mut counts {
        let per_hour = connections.get(id).map_or(1, |connection| {
            let client = state.program().client(connection);
            client.pace().queries_per_hour(organization.as_deref())
        });
        let per_hour = i64::from(per_hour).max(1);
        *seen = *seen * 3600 * 4 / (per_hour * 3);
        *unseen = *unseen * 3600 * 4 / per_hour;
    }
    counts
}

/// Collects what is due.
struct Maker<'a> {
    now: Timestamp,
    cadence: i64,
    /// How far the cadence of visible and of other projects is stretched, by purse.
    stretched: HashMap<Purse, (i64, i64)>,
    connections: &'a HashMap<ConnectionId, Connection>,
    /// Connections that do not answer: what failed is due as soon as they may be tried again.
    down: HashSet<ConnectionId>,
    under_way: &'a HashSet<Job>,
    seen: HashSet<Job>,
    plan: Plan,
}

impl Maker<'_> {
    fn discovery(
        &mut self,
        connection: &Connection,
        found: Option<&crate::snapshot::KnownDiscovery>,
    ) {
        let due = match found {
            None => 0,
            // Signing in again may have changed what it reaches.
            Some(found) if found.found_at.as_second() < connection.signed_in_at => 0,
            Some(found) => {
                let transient = found.failures.iter().any(|failure| failure.transient);
                let patience = match transient {
                    true if self.down.contains(&connection.id) => 0,
                    true => self.cadence,
                    false => DISCOVERY_SECONDS,
                };
                self.left(found.found_at, patience)
            }
        };
        let job = Job::Discover(connection.id.clone());
        self.put(job, &connection.id, None, due);
    }

    fn read(
        &mut self,
        project: &Project,
        view: View,
        measured: Option<Timestamp>,
        trouble: Option<&Trouble>,
        visible: bool,
    ) {
        let allowed = self
            .connections
            .get(&project.connection)
            .is_some_and(|connection| connection.grant.scopes.allows(scope_of(view)));
        if !allowed {
            return;
        }
        let (seen, unseen) = self
            .stretched
            .get(&purse(project))
            .copied()
            .unwrap_or((0, 0));
        let cadence = if visible {
            self.cadence.max(seen)
        } else {
            self.cadence.max(UNSEEN_SECONDS).max(unseen)
        };
        let mut due = measured.map_or(0, |measured| self.left(measured, cadence));
        if let Some(trouble) = trouble {
            let patience = match trouble.transient {
                true if self.down.contains(&project.connection) => 0,
                true => cadence.min(self.cadence),
                false => REFUSED_SECONDS,
            };
            due = due.max(self.left(trouble.at, patience));
        }
        let job = Job::Read(project.key.clone(), view);
        let old = measured.is_none_or(|measured| self.left(measured, 3 * cadence) == 0);
        if view == View::Today && due == 0 && old && !self.seen.contains(&job) {
            self.plan.behind.push(project.key.clone());
        }
        let connection = project.connection.clone();
        self.put(job, &connection, Some(project.clone()), due);
    }

    /// Seconds until something of `at` is older than `patience`. A clock that went back makes it due.
    fn left(&self, at: Timestamp, patience: i64) -> i64 {
        let age = self.now.as_second() - at.as_second();
        if age < -5 { 0 } else { (patience - age).max(0) }
    }

    fn put(&mut self, job: Job, connection: &ConnectionId, project: Option<Project>, due: i64) {
        if self.under_way.contains(&job) || !self.seen.insert(job.clone()) {
            return;
        }
        if due == 0 {
            self.plan.jobs.push_back((job, connection.clone(), project));
            return;
        }
        let due = Duration::from_secs(due.unsigned_abs());
        self.plan.next = Some(self.plan.next.map_or(due, |next| next.min(due)));
    }
}

/// What has to be granted for a view.
fn scope_of(view: View) -> &'static str {
    match view {
        View::Today | View::Period(_) | View::Breakdowns(_) => "query:read",
        View::Notes => "annotation:read",
    }
}

fn cadence(preferences: &Preferences) -> i64 {
    i64::try_from(preferences.refresh.seconds()).unwrap_or(i64::MAX)
}

fn is_fresh(measured: Option<Timestamp>, cadence: i64, now: Timestamp) -> bool {
    measured
        .is_some_and(|measured| (-5..cadence).contains(&(now.as_second() - measured.as_second())))
}

/// When a view was measured; never, where it counts other conversions than are chosen now.
fn measured_at(
    snapshots: &Snapshots,
    preferences: &Preferences,
    key: &ProjectKey,
    view: View,
) -> Option<Timestamp> {
    fn of<T: Viewed>(snapshots: &Snapshots, key: &ProjectKey, view: View) -> Option<Timestamp> {
        let found: Option<T> = snapshots.view(key, view).ok()?;
        found.map(|value| value.measured_at())
    }
    match view {
        View::Today => of::<Today>(snapshots, key, view),
        View::Period(_) => {
            let period: Period = snapshots.view(key, view).ok()??;
            let chosen = preferences.project(key).conversions;
            let counted = period.conversions.iter().map(|figure| &figure.event);
            counted.eq(chosen.iter()).then_some(period.measured_at)
        }
        View::Breakdowns(_) => of::<Breakdowns>(snapshots, key, view),
        View::Notes => of::<Notes>(snapshots, key, view),
    }
}
