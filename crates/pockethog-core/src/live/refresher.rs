//! The refresher: asks PostHog for what is being viewed, and for nothing else.
//!
//! One task. Open pages say what they look at; from that, from the age of the Snapshots and from the
//! cadence of the preferences comes a list of what is due, in priority order: lists of projects, projects of
//! an open project page, favourites and visible cards, then everything else that counts into the total. With
//! no page open the task sleeps and costs nothing.
//!
//! A Snapshot that a widget or another program wrote more than a second ago is not asked for again. A connection that
//! does not answer is left alone for a while that grows, then tried with one request. Each key and
//! organization has a budget below PostHog's limits ([`posthog_api::RateLimiter`]); where a refresh at the chosen
//! cadence would spend it, the cadence is stretched. docs/limits.md has the figures.

mod answer;
mod clocks;
mod plan;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::answer::{Answer, Done, Verdict, Why, ask, judge, store};
use self::clocks::Clocks;
use self::plan::{Job, Plan, plan};
#[cfg(test)]
pub(super) use self::plan::{closed_days_due_of_home, due_of_home};
use super::{Change, Live, Status, lock};
use crate::age;
use crate::live::refresh::burst;
use crate::overview::Range;
use crate::preferences::Cadence;
use crate::project::ProjectKey;
use crate::snapshot::Stamp;

/// Requests under way at a time. The pace of each connection bounds them; this bounds the memory they take.
const MOST_AT_ONCE: usize = 256;

/// So long after its start the app leaves large queries alone: a person who opens it waits for numbers and pages.
const QUIET_START: Duration = Duration::from_secs(30);

/// A page that was read and opened no stream counts as looked at for this long.
const BRIEFLY: Duration = Duration::from_secs(30);

/// So long nobody looks whether another program has read what is about to be asked.
const TRUST: Duration = Duration::from_secs(1);

/// How long the task rests at most while it has something to wait for.
const LONGEST_REST: Duration = Duration::from_secs(2);

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
    health: Mutex<HashMap<ConnectionId, Outage>>,
    /// Until when PostHog wants to hear no query of single projects, whose connections answer otherwise.
    slowed: Mutex<HashMap<ProjectKey, Instant>>,
    /// When each connection signed in, in Unix seconds, as last seen.
    signed_in: Mutex<HashMap<ConnectionId, i64>>,
    /// Read so far and to be read in all, while numbers are missing or old.
    progress: Mutex<Option<(usize, usize)>>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Watched {
    last: u64,
    interests: HashMap<u64, Interest>,
    brief: Vec<(Interest, Instant)>,
}

/// Keeps an [`Interest`] alive until it is dropped.
#[derive(Debug)]
pub struct Watch {
    number: u64,
    refresher: Refresher,
}

/// A connection that does not answer.
#[derive(Clone, Debug)]
pub struct Outage {
    why: Why,
    reason: String,
    failures: u32,
    until: Instant,
}

impl Outage {
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
    pub fn watch_briefly(&self, interest: Interest) {
        let mut watched = lock(&self.0.watched);
        let until = Instant::now() + BRIEFLY;
        let mut brief = watched.brief.iter_mut();
        if let Some((_, known_until)) = brief.find(|(known, _)| *known == interest) {
            // The page was read again; what is due is known.
            *known_until = until;
        } else {
            watched.brief.push((interest, until));
            self.0.wake.notify_one();
        }
    }

    /// Thinks again about what is due: somebody signed in, or chose other conversions.
    pub fn hurry(&self) {
        self.0.wake.notify_one();
    }

    /// Why a connection does not answer, while it does not.
    pub fn outage(&self, connection: &ConnectionId) -> Option<Outage> {
        lock(&self.0.health).get(connection).cloned()
    }

    /// See [`Live::status`].
    pub(super) fn status(
        &self,
        active: &[&ConnectionId],
        oldest: Option<Timestamp>,
        cadence: Cadence,
        now: Timestamp,
    ) -> Status {
        let health = lock(&self.0.health);
        let down: Vec<&Outage> = active.iter().filter_map(|id| health.get(*id)).collect();
        if !down.is_empty() && down.len() == active.len() {
            // Each says why, and nothing is wrong with PostHog or the way to it.
            if down.iter().any(|health| health.why == Why::Locked) {
                return oldest.map_or(Status::Unread, Status::Updated);
            }
            return if down.iter().all(|health| health.why == Why::Busy) {
                Status::Busy(oldest)
            } else {
                Status::Offline(oldest)
            };
        }
        if let Some((done, total)) = *lock(&self.0.progress) {
            return Status::Loading { done, total };
        }
        let is_old =
            oldest.is_none_or(|oldest| age::is_at_least(oldest, cadence.fresh_seconds(), now));
        if is_old && self.slows_down() {
            return Status::Busy(oldest);
        }
        match oldest {
            Some(oldest) if is_old => Status::Updated(oldest),
            _ => Status::Live,
        }
    }

    /// What is looked at now.
    fn interests(&self) -> Vec<Interest> {
        let mut watched = lock(&self.0.watched);
        let now = Instant::now();
        watched.brief.retain(|(_, until)| *until > now);
        watched
            .interests
            .values()
            .chain(watched.brief.iter().map(|(interest, _)| interest))
            .cloned()
            .collect()
    }

    /// Notes for how long PostHog wants to hear no query of a project; `None` if it has answered one.
    fn slow_down(&self, project: &ProjectKey, wait: Option<Duration>) {
        let mut slowed = lock(&self.0.slowed);
        match wait {
            Some(wait) => drop(slowed.insert(project.clone(), Instant::now() + wait)),
            None => drop(slowed.remove(project)),
        }
    }

    /// Whether PostHog wants to hear no query of some project now.
    fn slows_down(&self) -> bool {
        let now = Instant::now();
        lock(&self.0.slowed).values().any(|until| *until > now)
    }

    /// The device has slept for so long: what kept a connection from answering is past, and it is tried again.
    fn woke(&self, slept: Duration) {
        let now = Instant::now();
        for health in lock(&self.0.health).values_mut() {
            health.failures = 0;
            health.until = now;
        }
        for until in lock(&self.0.slowed).values_mut() {
            *until = until.checked_sub(slept).unwrap_or(now);
        }
    }

    /// Notes that a connection answered. True if it had not before.
    fn record_success(&self, connection: &ConnectionId) -> bool {
        lock(&self.0.health).remove(connection).is_some()
    }

    /// Forgets what an earlier sign-in of a connection met: whoever signs in again is not kept waiting for it.
    fn note_sign_ins<'a>(&self, connections: impl IntoIterator<Item = &'a Connection>) {
        let mut signed_in = lock(&self.0.signed_in);
        for connection in connections {
            let before = signed_in.insert(connection.id.clone(), connection.signed_in_at);
            if before.is_some_and(|before| before != connection.signed_in_at) {
                self.record_success(&connection.id);
            }
        }
    }

    /// Notes that a connection did not answer, unless that is known already.
    fn record_failure(
        &self,
        connection: &ConnectionId,
        why: Why,
        reason: String,
        wait: Option<Duration>,
    ) {
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
            Outage {
                why,
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

/// Runs until the app ends.
pub async fn run(live: Arc<Live>) {
    let mut task = Task {
        live,
        running: JoinSet::new(),
        under_way: HashSet::new(),
        plan: Plan::default(),
        round: HashMap::new(),
        active: Vec::new(),
        stamp: None,
        checked: Instant::now(),
        clocks: Clocks::now(),
        started: Instant::now(),
    };
    task.run().await;
}

struct Task {
    live: Arc<Live>,
    /// Tasks of their own: they go on while what has arrived is written down.
    running: JoinSet<Done>,
    under_way: HashSet<Job>,
    plan: Plan,
    /// Projects whose numbers of today were missing or old, and whether they have been read since.
    round: HashMap<ProjectKey, bool>,
    active: Vec<ConnectionId>,
    /// Of the Snapshots, when the last plan was made.
    stamp: Option<Stamp>,
    /// When that was looked at last.
    checked: Instant,
    clocks: Clocks,
    started: Instant,
}

impl Task {
    async fn run(&mut self) {
        let refresher = self.live.refresher().clone();
        let live = Arc::clone(&self.live);
        loop {
            self.wake();
            self.think().await;
            loop {
                if self.is_outdated().await {
                    break;
                }
                let blocked = self.start();
                self.tell_progress();
                let wait = match (blocked, self.plan.next) {
                    (Some(blocked), Some(next)) => Some(blocked.min(next)),
                    (blocked, next) => blocked.or(next),
                };
                // While somebody looks, a device that wakes up is noticed soon.
                let wait = wait.map(|wait| wait.min(LONGEST_REST));
                let rest = async {
                    match wait {
                        Some(wait) => tokio::time::sleep(wait).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    Some(arrived) = burst(&mut self.running) => {
                        if self.take(arrived).await { break; }
                    }
                    () = refresher.0.wake.notified() => break,
                    () = rest => break,
                    () = live.closed() => return,
                }
            }
        }
    }

    /// If the device has slept, nothing from before counts: no back-off, and no request, whose connection is gone.
    fn wake(&mut self) {
        let Some(slept) = self.clocks.slept() else {
            return;
        };
        tracing::debug!(?slept, "the device has slept");
        self.running = JoinSet::new();
        self.under_way.clear();
        self.live.refresher().woke(slept);
        self.live.program().woke(slept);
        self.live.announce(Change::Status);
    }

    /// True if another program has written since the plan was made: what is still to be asked may be
    /// known by now.
    async fn is_outdated(&mut self) -> bool {
        let Some(then) = self.stamp.filter(|_| !self.plan.jobs.is_empty()) else {
            return false;
        };
        if self.checked.elapsed() < TRUST {
            return false;
        }
        self.checked = Instant::now();
        let now = self.live.blocking(|live| live.snapshots().stamp()).await;
        now.is_ok_and(|now| now.others_wrote_since(then))
    }

    /// Makes a new plan.
    async fn think(&mut self) {
        self.checked = Instant::now();
        let interests = self.live.refresher().interests();
        let (under_way, stamp) = (self.under_way.clone(), self.stamp);
        let closed_days = self.started.elapsed() >= QUIET_START;
        let before = std::mem::take(&mut self.active);
        let planned = self
            .live
            .blocking(move |live| plan(live, &interests, stamp, &under_way, closed_days))
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
            self.live.announce(Change::SignedOut(id.clone()));
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
        let mut told = lock(&self.live.refresher().0.progress);
        if *told == now {
            return;
        }
        let before = std::mem::replace(&mut *told, now);
        drop(told);
        match (now, before) {
            (Some((done, total)), _) => self.live.announce(Change::Progress { done, total }),
            (None, Some((_, total))) => {
                self.live.announce(Change::Progress { done: total, total });
                self.live.announce(Change::Status);
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
            if let Some(health) = self.live.refresher().outage(&id) {
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
                Arc::clone(&self.live),
                job,
                connection,
                project,
                self.plan.preferences.clone(),
            );
            self.running.spawn(work);
        }
        later.append(&mut self.plan.jobs);
        self.plan.jobs = later;
        wait
    }

    /// True if a request of this connection is under way.
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

    /// Stores answers and announces them. True if the plan has to be made again.
    async fn take(&mut self, arrived: Vec<Done>) -> bool {
        let mut anew = false;
        let mut changes = Vec::with_capacity(arrived.len());
        for done in &arrived {
            let Done {
                job,
                connection,
                answer,
            } = done;
            self.under_way.remove(job);
            self.note_health(job, connection, answer);
            if let Some(read) = job.today().and_then(|key| self.round.get_mut(key)) {
                *read = true;
            }
            anew |= ends_session(answer) || matches!(job, Job::Discover(_));
            changes.push(match job {
                Job::Discover(_) => Change::Projects,
                Job::Read(key, view) => Change::View(key.clone(), *view),
            });
        }
        self.end_round();
        let stored = self.live.blocking(move |live| store(live, arrived)).await;
        if let Err(error) = stored {
            tracing::warn!(%error, "answers could not be kept");
        }
        for change in changes {
            self.live.announce(change);
        }
        anew
    }

    /// Notes what an answer says about its connection.
    fn note_health(&self, job: &Job, connection: &ConnectionId, answer: &Answer) {
        let refresher = self.live.refresher();
        match judge(answer) {
            Verdict::Answered => {
                if let Job::Read(key, _) = job {
                    refresher.slow_down(key, None);
                }
                if refresher.record_success(connection) {
                    self.live.announce(Change::Status);
                }
            }
            Verdict::SlowDown { wait } => {
                if let Job::Read(key, _) = job {
                    refresher.slow_down(key, Some(wait.unwrap_or(LONGEST_WAIT)));
                }
                refresher.record_success(connection);
                self.live.announce(Change::Status);
            }
            Verdict::Down { why, reason, wait } => {
                refresher.record_failure(connection, why, reason, wait);
                self.live.announce(Change::Status);
            }
            Verdict::Nothing => {}
        }
    }
}

/// True if the answer shows that only signing in again helps.
fn ends_session(answer: &Answer) -> bool {
    match answer {
        Answer::Failed(error) => error.needs_sign_in(),
        Answer::Found(found) => found.failures.iter().any(|failure| failure.needs_sign_in),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sign_in_with_posthog::{CredentialKind, Host, Region};

    use super::*;

    #[test]
    fn a_new_sign_in_is_not_kept_waiting_by_what_the_old_one_met() {
        let mut connection: Connection = serde_json::from_value(serde_json::json!({
            "id": "us-1",
            "host": { "region": "us", "address": "https://us.posthog.com" },
            "kind": "o_auth",
            "account": { "subject": "ada" },
            "grant": { "scopes": "query:read", "reach": "all" },
            "vault": "encrypted_file",
            "signed_in_at": 1
        }))
        .unwrap();
        let refresher = Refresher::default();
        refresher.note_sign_ins([&connection]);
        let wait = Some(Duration::from_secs(300));
        refresher.record_failure(&connection.id, Why::Busy, "refused".to_owned(), wait);
        refresher.note_sign_ins([&connection]);
        assert!(refresher.outage(&connection.id).is_some());
        connection.signed_in_at += 1;
        refresher.note_sign_ins([&connection]);
        assert!(refresher.outage(&connection.id).is_none());
    }

    #[test]
    fn a_back_off_from_before_the_sleep_is_over_after_it() {
        let refresher = Refresher::default();
        let id = ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::OAuth, "a");
        let key = ProjectKey {
            host: "us".into(),
            id: 1,
        };
        let hour = Duration::from_secs(3600);
        refresher.record_failure(&id, Why::Busy, "offline".into(), Some(hour));
        refresher.slow_down(&key, Some(hour));
        assert!(refresher.outage(&id).unwrap().until > Instant::now());
        refresher.woke(hour * 8);
        assert!(refresher.outage(&id).unwrap().until <= Instant::now());
        assert!(!refresher.slows_down());
        // The network may need a moment more: then the next try is soon again.
        refresher.record_failure(&id, Why::Busy, "offline".into(), None);
        let wait = refresher.outage(&id).unwrap().until - Instant::now();
        assert!(wait <= FIRST_WAIT.mul_f64(1.2), "{wait:?}");
    }
}
