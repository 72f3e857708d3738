//! What is due, and in which order: computed from what pages show, the age of the Snapshots, the refresh interval and
//! the budgets.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId};

use super::Interest;
use crate::annotations::Annotations;
use crate::causes::Explanation;
use crate::digest::ClosedFigures;
use crate::live::due::{self, Policy, cadence};
use crate::live::explaining;
use crate::live::{Change, HomeCache, Live, StoredError, lock};
use crate::overview::{Breakdowns, DayClock, Period, Range, Today};
use crate::preferences::Preferences;
use crate::project::{Project, ProjectKey};
use crate::snapshot::{SnapshotError, Snapshots, Stamp, Trouble, View, Viewed};

/// What nobody sees, but counts into the total, is read this often, in seconds.
const UNSEEN_SECONDS: i64 = 900;

/// Histories that are read at the same time: each is a large query.
const HISTORIES_AT_ONCE: usize = 2;

/// While a page is open, what other programs wrote is looked for this often.
const LOOK_AROUND: Duration = Duration::from_secs(5);

/// Something to be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Job {
    Discover(ConnectionId),
    Read(ProjectKey, View),
}

impl Job {
    /// The project whose numbers of today this reads.
    pub(super) fn today(&self) -> Option<&ProjectKey> {
        match self {
            Self::Read(key, View::Today) => Some(key),
            _ => None,
        }
    }
}

/// What is due, and when to think about it again.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) jobs: VecDeque<(Job, ConnectionId, Option<Project>)>,
    pub(super) next: Option<Duration>,
    /// Projects whose numbers of today are missing or old.
    pub(super) behind: Vec<ProjectKey>,
    pub(super) connections: HashMap<ConnectionId, Connection>,
    pub(super) preferences: Preferences,
    pub(super) stamp: Option<Stamp>,
}

/// Lists what is due; Histories only if `closed_days`.
pub(super) fn plan(
    live: &Live,
    interests: &[Interest],
    stamp: Option<Stamp>,
    under_way: &HashSet<Job>,
    closed_days: bool,
) -> Result<Plan, StoredError> {
    let all = live.connections()?;
    plan_of(live, &all, interests, stamp, under_way, closed_days)
}

/// Lists what is due of these Connections, of which ended ones are part.
fn plan_of(
    live: &Live,
    all: &[Connection],
    interests: &[Interest],
    stamp: Option<Stamp>,
    under_way: &HashSet<Job>,
    closed_days: bool,
) -> Result<Plan, StoredError> {
    let (preferences, _) = live.preferences();
    let connections: HashMap<ConnectionId, Connection> = all
        .iter()
        .filter(|connection| connection.is_active())
        .map(|connection| (connection.id.clone(), connection.clone()))
        .collect();
    live.refresher().note_sign_ins(connections.values());
    let now = Timestamp::now();
    let mut builder = PlanBuilder {
        now,
        cadence: cadence(&preferences),
        left_out: &preferences,
        policy: Policy::new(now, cadence(&preferences)),
        all,
        stretched: HashMap::new(),
        live,
        connections: &connections,
        down: lock(&live.refresher().0.health).keys().cloned().collect(),
        under_way,
        seen: HashSet::new(),
        plan: Plan::default(),
    };
    if !interests.is_empty() {
        let cache = live.cache()?;
        let written = live.snapshots().stamp()?;
        if stamp.is_some_and(|then| written.others_wrote_since(then)) {
            tell_all(live, interests);
        }
        builder.plan.stamp = Some(written);
        for (id, connection) in &connections {
            let found = live.snapshots().discovery(id)?;
            builder.discovery(connection, found.as_ref());
        }
        let by_key: HashMap<&ProjectKey, &Project> = cache
            .projects
            .iter()
            .map(|project| (&project.key, project))
            .collect();
        for interest in interests {
            if let Interest::Project(key, range) = interest
                && let Some(project) = by_key.get(key)
            {
                let snapshots = live.snapshots();
                for view in views_of(*range) {
                    let measured = measured_at(&snapshots, &preferences, key, view);
                    let trouble = snapshots.trouble(key, view)?;
                    builder.read(project, view, measured, trouble.as_ref(), true);
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
        builder.stretched = stretch(live, &connections, &cache.projects, &seen);
        for interest in interests {
            if let Interest::Home(visible) = interest {
                at_home = true;
                let visible = visible.iter().filter_map(|key| by_key.get(key));
                let favourites = cache
                    .projects
                    .iter()
                    .filter(|project| preferences.project(&project.key).favourite);
                for project in favourites.chain(visible.copied()) {
                    builder.read_today(&cache, project, true);
                }
            }
        }
        if at_home {
            let mut rest: Vec<&Project> = cache.projects.iter().collect();
            rest.retain(|project| {
                let chosen = preferences.projects.get(&project.key.to_string());
                !chosen.is_some_and(|chosen| chosen.hidden)
            });
            rest.sort_by_key(|project| cache.asked_at(&project.key, builder.now));
            let rest = in_turn(rest);
            for project in &rest {
                builder.read_today(&cache, project, false);
            }
            builder.causes(&rest)?;
            if closed_days {
                builder.histories(&rest, &preferences)?;
            }
        } else if closed_days {
            let open: Vec<&Project> = interests
                .iter()
                .filter_map(|interest| match interest {
                    Interest::Project(key, _) => by_key.get(key).copied(),
                    Interest::Home(_) => None,
                })
                .collect();
            builder.histories(&open, &preferences)?;
        }
    }
    let mut plan = builder.plan;
    if !interests.is_empty() {
        plan.next = Some(plan.next.map_or(LOOK_AROUND, |next| next.min(LOOK_AROUND)));
    }
    plan.connections = connections;
    plan.preferences = preferences;
    Ok(plan)
}

/// What a project page shows, in priority order.
fn views_of(range: Range) -> [View; 4] {
    [
        View::Period(range),
        View::Annotations,
        View::Breakdowns(range),
        View::Today,
    ]
}

/// Another program wrote something, and did not say what.
fn tell_all(live: &Live, interests: &[Interest]) {
    live.announce(Change::Projects);
    for interest in interests {
        if let Interest::Project(key, range) = interest {
            for view in views_of(*range) {
                live.announce(Change::View(key.clone(), view));
            }
        }
    }
}

/// Whose queries are counted together at most: a connection's in one organization.
type Purse = (ConnectionId, Option<String>);

fn purse(project: &Project) -> Purse {
    (project.connection.clone(), project.organization.clone())
}

/// The first of each organization, then the second of each, and so on. An organization lets only a limited number of
/// queries run at once; one that filled the queue would keep the others waiting.
fn in_turn(projects: Vec<&Project>) -> Vec<&Project> {
    let mut turns: HashMap<Purse, usize> = HashMap::new();
    let mut placed: Vec<(usize, &Project)> = projects
        .into_iter()
        .map(|project| {
            let turn = turns.entry(purse(project)).or_default();
            *turn += 1;
            (*turn, project)
        })
        .collect();
    placed.sort_by_key(|(turn, _)| *turn);
    placed.into_iter().map(|(_, project)| project).collect()
}

/// Seconds between two reads of a project.
#[derive(Clone, Copy, Default)]
struct Stretched {
    seen: i64,
    unseen: i64,
    history: i64,
}

/// Seconds between two reads of a project, so that three quarters of each budget suffice for what is seen, a fifth for
/// what is not, and a twentieth for Histories.
fn stretch(
    live: &Live,
    connections: &HashMap<ConnectionId, Connection>,
    projects: &[Project],
    seen: &HashSet<&ProjectKey>,
) -> HashMap<Purse, Stretched> {
    let mut counts: HashMap<Purse, Stretched> = HashMap::new();
    for project in projects {
        let count = counts.entry(purse(project)).or_default();
        if seen.contains(&project.key) {
            count.seen += 1;
        } else {
            count.unseen += 1;
        }
        count.history += 1;
    }
    for ((id, organization), every) in &mut counts {
        let per_hour = connections.get(id).map_or(1, |connection| {
            let client = live.program().client(connection);
            client
                .rate_limiter()
                .queries_per_hour(organization.as_deref())
        });
        let (budget, per_hour) = (per_hour, i64::from(per_hour).max(1));
        let projects = usize::try_from(every.history).unwrap_or(usize::MAX);
        every.seen = every.seen * 3600 * 4 / (per_hour * 3);
        every.unseen = every.unseen * 3600 * 5 / per_hour;
        every.history = due::history_seconds(projects, budget);
    }
    counts
}

/// Collects what is due.
struct PlanBuilder<'a> {
    now: Timestamp,
    cadence: i64,
    policy: Policy,
    /// What is left out of the numbers.
    left_out: &'a Preferences,
    /// All Connections, ended ones too.
    all: &'a [Connection],
    /// How far the cadence of visible and of other projects is stretched, by purse.
    stretched: HashMap<Purse, Stretched>,
    live: &'a Live,
    connections: &'a HashMap<ConnectionId, Connection>,
    /// Connections that do not answer: what failed is due as soon as they may be tried again.
    down: HashSet<ConnectionId>,
    under_way: &'a HashSet<Job>,
    seen: HashSet<Job>,
    plan: Plan,
}

impl PlanBuilder<'_> {
    fn discovery(
        &mut self,
        connection: &Connection,
        found: Option<&crate::snapshot::KnownDiscovery>,
    ) {
        let due = self
            .policy_of(&connection.id)
            .list(found, connection, self.all);
        let job = Job::Discover(connection.id.clone());
        self.put(job, &connection.id, None, due);
    }

    fn read_today(&mut self, cache: &HomeCache, project: &Project, visible: bool) {
        let left_out = self.left_out.left_out(&project.key);
        let summary = cache.glance(&project.key);
        let measured = summary.filter(|summary| summary.left_out == left_out);
        let measured = measured.map(|summary| summary.measured_at);
        let trouble = cache.trouble(&project.key);
        self.read(project, View::Today, measured, trouble, visible);
    }

    fn read(
        &mut self,
        project: &Project,
        view: View,
        measured: Option<Timestamp>,
        trouble: Option<&Trouble>,
        visible: bool,
    ) {
        let Some(connection) = self.connections.get(&project.connection) else {
            return;
        };
        if !connection.grant.scopes.allows(scope_of(view)) {
            return;
        }
        let stretched = self.stretched_of(project);
        let cadence = if visible {
            self.cadence.max(stretched.seen)
        } else {
            self.cadence.max(UNSEEN_SECONDS).max(stretched.unseen)
        };
        let policy = self.policy_of(&project.connection).with_max_age(cadence);
        let mut due = policy.view(measured, trouble, connection);
        if view != View::Annotations {
            due = due.max(self.rest_of(connection, project));
        }
        let job = Job::Read(project.key.clone(), view);
        if view == View::Today
            && due == 0
            && policy.is_behind(measured)
            && !self.seen.contains(&job)
        {
            self.plan.behind.push(project.key.clone());
        }
        let connection = project.connection.clone();
        self.put(job, &connection, Some(project.clone()), due);
    }

    /// The closed days of these projects: after all numbers that are missing or old, and few at a time.
    fn histories(
        &mut self,
        projects: &[&Project],
        preferences: &Preferences,
    ) -> Result<(), SnapshotError> {
        if !self.plan.behind.is_empty() {
            return Ok(());
        }
        let is_history = |job: &Job| matches!(job, Job::Read(_, View::History));
        let mut free = HISTORIES_AT_ONCE
            .saturating_sub(self.under_way.iter().filter(|job| is_history(job)).count());
        for project in projects {
            let Some(connection) = self.connections.get(&project.connection) else {
                continue;
            };
            if !connection.grant.scopes.allows(scope_of(View::History)) {
                continue;
            }
            let asked = preferences.asked(project);
            let clock = DayClock::new(&project.time_zone, self.now);
            let (known, trouble) = {
                let snapshots = self.live.snapshots();
                (
                    snapshots.known_history(&project.key)?,
                    snapshots.trouble(&project.key, View::History)?,
                )
            };
            let least = self.stretched_of(project).history;
            let due = self
                .policy_of(&project.connection)
                .history(
                    known.as_ref(),
                    trouble.as_ref(),
                    (&asked, &clock, least),
                    connection,
                )
                .max(self.rest_of(connection, project));
            if due == 0 && free == 0 {
                continue;
            }
            free -= usize::from(due == 0);
            let job = Job::Read(project.key.clone(), View::History);
            let project = (*project).clone();
            let connection = project.connection.clone();
            self.put(job, &connection, Some(project), due);
        }
        Ok(())
    }

    /// What made projects move: after all numbers of today that are missing or old.
    fn causes(&mut self, projects: &[&Project]) -> Result<(), SnapshotError> {
        if !self.plan.behind.is_empty() {
            return Ok(());
        }
        for project in projects {
            let Some(connection) = self.connections.get(&project.connection) else {
                continue;
            };
            let (question, explained, trouble) = {
                let snapshots = self.live.snapshots();
                let question =
                    explaining::question(&snapshots, self.left_out, &project.key, self.now)?;
                (
                    question,
                    snapshots.view::<Explanation>(&project.key, View::Causes)?,
                    snapshots.trouble(&project.key, View::Causes)?,
                )
            };
            let Some(question) = question else {
                continue;
            };
            if !connection.grant.scopes.allows(scope_of(View::Causes)) {
                continue;
            }
            let due = self
                .policy_of(&project.connection)
                .causes(explained.as_ref(), trouble.as_ref(), &question, connection)
                .max(self.rest_of(connection, project));
            let job = Job::Read(project.key.clone(), View::Causes);
            let connection = project.connection.clone();
            self.put(job, &connection, Some((*project).clone()), due);
        }
        Ok(())
    }

    fn stretched_of(&self, project: &Project) -> Stretched {
        self.stretched
            .get(&purse(project))
            .copied()
            .unwrap_or_default()
    }

    /// For how many seconds the budget of a project lets nothing be asked.
    fn rest_of(&self, connection: &Connection, project: &Project) -> i64 {
        let client = self.live.program().client(connection);
        let rest = client.rate_limiter().rest_of(project.key.id);
        #[expect(clippy::cast_possible_truncation, reason = "an hour at most")]
        let rest = rest.as_secs_f64().ceil() as i64;
        rest
    }

    /// What a connection that does not answer has failed at is due as soon as it may be tried again.
    fn policy_of(&self, connection: &ConnectionId) -> Policy {
        if self.down.contains(connection) {
            self.policy.without_pause()
        } else {
            self.policy
        }
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
        View::Today
        | View::Period(_)
        | View::Breakdowns(_)
        | View::History
        | View::Causes
        | View::Digest(_) => "query:read",
        View::Annotations => "annotation:read",
    }
}

/// When a view was measured; never, if it counts other conversions or leaves out others than are chosen now.
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
    let left_out = preferences.left_out(key);
    match view {
        View::Today => {
            let today: Today = snapshots.view(key, view).ok()??;
            (today.asked.left_out == left_out).then_some(today.measured_at)
        }
        View::Period(_) => {
            let period: Period = snapshots.view(key, view).ok()??;
            let chosen = preferences.project(key).conversions;
            let counted = period.conversions.iter().map(|figure| &figure.event);
            let same = counted.eq(chosen.iter()) && period.left_out == left_out;
            same.then_some(period.measured_at)
        }
        View::Breakdowns(_) => {
            let breakdowns: Breakdowns = snapshots.view(key, view).ok()??;
            (breakdowns.left_out == left_out).then_some(breakdowns.measured_at)
        }
        View::Annotations => of::<Annotations>(snapshots, key, view),
        View::Causes => of::<Explanation>(snapshots, key, view),
        View::Digest(_) => of::<ClosedFigures>(snapshots, key, view),
        View::History => Some(snapshots.known_history(key).ok()??.measured_at),
    }
}

/// What is due of a home with these Connections whose `visible` projects are looked at.
#[cfg(test)]
pub(in crate::live) fn due_of_home(
    live: &Live,
    all: &[Connection],
    visible: Vec<ProjectKey>,
) -> (HashSet<ConnectionId>, HashSet<ProjectKey>) {
    let home = [Interest::Home(visible)];
    let plan = plan_of(live, all, &home, None, &HashSet::new(), false);
    let plan = plan.expect("Snapshots in memory");
    let mut due = (HashSet::new(), HashSet::new());
    for (job, ..) in plan.jobs {
        match job {
            Job::Discover(connection) => due.0.insert(connection),
            Job::Read(_, View::History | View::Causes) => false,
            Job::Read(key, _) => due.1.insert(key),
        };
    }
    due
}

/// The projects whose closed days would be read now, in order, at a home with these Connections.
#[cfg(test)]
pub(in crate::live) fn closed_days_due_of_home(live: &Live, all: &[Connection]) -> Vec<ProjectKey> {
    let home = [Interest::Home(Vec::new())];
    let plan = plan_of(live, all, &home, None, &HashSet::new(), true);
    let jobs = plan.expect("Snapshots in memory").jobs.into_iter();
    jobs.filter_map(|(job, ..)| match job {
        Job::Read(key, View::History) => Some(key),
        _ => None,
    })
    .collect()
}
