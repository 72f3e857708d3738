//! The home screen.

use std::collections::HashMap;

use jiff::Timestamp;
use sign_in_with_posthog::Connection;

use super::arrangement::{Arrangement, Shown};
use super::card::{Card, Numbers};
use super::noted::{self, MoveNote};
use super::offers::SignInOffer;
use super::problems::Problem;
use super::sources::{Freshness, Source, Sources, Stored};
use super::total::Total;
use pockethog_core::access;
use pockethog_core::age;
use pockethog_core::annotations::Annotations;
use pockethog_core::live::{Live, Status, explaining};
use pockethog_core::moves::{self, Moves};
use pockethog_core::overview;
use pockethog_core::project::ProjectKey;
use pockethog_core::snapshot::SnapshotError;

/// What the home screen shows.
#[derive(Clone, Debug, Default)]
pub struct Home {
    /// When it was looked at.
    pub now: Timestamp,
    /// Counts up whenever the numbers change that it is made from; 0 outside of an app that stays open.
    pub revision: u64,
    /// The sum over all cards.
    pub total: Total,
    /// What has moved of the projects that are not hidden. Nothing if the numbers are those of a range.
    pub moves: Moves,
    /// What the moves have to do with the notes of their projects, if that was looked for.
    pub notes: HashMap<ProjectKey, MoveNote>,
    /// All projects that are not hidden, in the person's own order.
    pub cards: Vec<Card>,
    /// Which of them are shown, and in what order.
    pub shown: Shown,
    /// True if the person arranged projects, so that their own order can be offered.
    pub has_own_order: bool,
    /// How many projects are hidden.
    pub hidden: usize,
    /// What keeps a part of it from being read.
    pub problems: Vec<Problem>,
    /// API keys whose users could sign in instead.
    pub offers: Vec<SignInOffer>,
    /// The state of the numbers that are shown.
    pub status: Status,
}

impl Home {
    /// The home screen of an app that stays open.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read.
    pub fn of_live(
        live: &Live,
        connections: &[Connection],
        arrangement: &Arrangement,
        now: Timestamp,
    ) -> Result<Self, SnapshotError> {
        let (preferences, _) = live.preferences();
        // Before the projects: a list that comes in in the meantime has its projects among them.
        let discoveries = live.discoveries(connections)?;
        let cache = live.cache()?;
        let outage = |connection: &Connection| {
            let outage = live.refresher().outage(&connection.id)?;
            Some((connection.id.clone(), outage.reason().to_owned()))
        };
        let sources = Sources {
            now,
            freshness: Freshness::Every(preferences.refresh),
            preferences: &preferences,
            connections,
            projects: cache
                .projects
                .iter()
                .map(|project| Source {
                    project,
                    numbers: cache.glance(&project.key).map(Stored::Summary),
                    judged: cache.judged(&project.key),
                    explanation: cache.explained(&project.key),
                    trouble: cache.trouble(&project.key),
                })
                .collect(),
            only: None,
            discoveries: &discoveries,
            outages: connections.iter().filter_map(outage).collect(),
        };
        let status = |oldest| live.status(connections, &preferences, oldest, now);
        let mut home = Self::new(&sources, arrangement, status);
        home.look_for_notes(connections, |key| cache.annotations(key));
        Ok(Self {
            revision: cache.revision,
            ..home
        })
    }

    /// Looks for a note near each move that is listed. `annotations` are those of a project, if they were read.
    pub fn look_for_notes<'a>(
        &mut self,
        connections: &[Connection],
        annotations: impl Fn(&ProjectKey) -> Option<&'a Annotations>,
    ) {
        self.notes = noted::notes(&self.moves.listed, &self.cards, connections, annotations);
    }

    /// The home screen of a run that asks once and ends: its status says whether any number is of this run.
    pub fn of_run(sources: &Sources<'_>) -> Self {
        let mut home = Self::new(sources, &Arrangement::default(), |_| Status::Live);
        if !home.any_fresh() {
            let measured = home.cards.iter().filter_map(Card::figures);
            let measured = measured.map(|figures| figures.measured_at);
            home.status =
                age::oldest(measured, sources.now).map_or(Status::Unread, Status::Updated);
        }
        home
    }

    /// The home screen. `status` is that of numbers of which the oldest were measured at an instant; `None` if there
    /// are none.
    pub fn new(
        sources: &Sources<'_>,
        arrangement: &Arrangement,
        status: impl FnOnce(Option<Timestamp>) -> Status,
    ) -> Self {
        let projects = sources.arranged();
        let several_hosts = {
            let mut hosts = projects
                .iter()
                .map(|(source, ..)| source.project.key.host.as_str());
            let first = hosts.next();
            hosts.any(|host| Some(host) != first)
        };
        let mut home = Self {
            now: sources.now,
            has_own_order: !sources.preferences.order.is_empty(),
            offers: SignInOffer::all(sources.preferences, sources.connections, sources.now),
            cards: Vec::with_capacity(projects.len()),
            ..Self::default()
        };
        let mut parts = Vec::with_capacity(projects.len());
        let mut judged = Vec::with_capacity(projects.len());
        for (source, connection, chosen) in &projects {
            if !sources.wants(&source.project.key, chosen) {
                home.hidden += usize::from(chosen.hidden);
                continue;
            }
            let host = several_hosts.then(|| access::host_label(connection));
            let card = Card::new(sources, source, connection, chosen, host);
            let online = card.figures().and_then(|figures| figures.online);
            parts.push(source.part(connection, online));
            let is_of_now = card
                .figures()
                .is_some_and(|figures| figures.usual.is_some());
            judged.push(source.judged.filter(|_| is_of_now));
            home.cards.push(card);
        }
        let sum = overview::Total::of(&parts, sources.now);
        let is_known = sum.sums.is_some();
        home.total = Total::of(sum, &home.cards, &judged);
        home.moves = moves_of(&home.cards);
        for listed in &mut home.moves.listed {
            let of_listed = |source: &&Source<'_>| source.project.key == listed.project;
            let source = projects.iter().map(|(source, ..)| source).find(of_listed);
            listed.explanation = source
                .and_then(|source| source.explanation)
                .filter(|explanation| explaining::explains(explanation, &listed.moved))
                .cloned();
        }
        home.arrange(arrangement);
        home.settle(sources, status(home.oldest_shown()), is_known);
        home.problems = Problem::all(sources, home.status, is_known);
        home
    }

    /// Shows the cards in another way.
    pub fn arrange(&mut self, arrangement: &Arrangement) {
        self.shown = Shown::of(&self.cards, arrangement, self.has_own_order);
    }

    /// The cards that are shown, in their order.
    pub fn shown_cards(&self) -> impl Iterator<Item = &Card> {
        let places = self.shown.places.iter();
        places.filter_map(|place| self.cards.get(*place))
    }

    /// Their projects.
    pub fn shown_keys(&self) -> Vec<ProjectKey> {
        self.shown_cards().map(|card| card.key.clone()).collect()
    }

    /// Whether the numbers of a project are being read for the first time.
    pub fn is_loading(&self) -> bool {
        self.cards
            .iter()
            .any(|card| card.numbers == Numbers::Loading)
    }

    /// Whether any number is of now.
    pub fn any_fresh(&self) -> bool {
        self.cards.iter().any(Card::is_fresh)
    }

    /// When the oldest of the numbers that are shown were measured. Those of a sign-in that has ended are not read
    /// any longer, and each says so.
    fn oldest_shown(&self) -> Option<Timestamp> {
        let measured = self
            .shown_cards()
            .filter(|card| !card.is_signed_out())
            .filter_map(Card::figures)
            .map(|figures| figures.measured_at);
        age::oldest(measured, self.now)
    }

    /// Sets the status: `of_numbers`, unless what is missing says more.
    fn settle(&mut self, sources: &Sources<'_>, of_numbers: Status, is_known: bool) {
        self.status = of_numbers;
        let total = self.cards.len();
        let is_missing = |card: &&Card| card.numbers == Numbers::Loading;
        let missing = self.cards.iter().filter(is_missing).count();
        if !is_known && missing == 0 && total > 0 {
            self.total.unread = true;
            if self.status == Status::Live {
                self.status = Status::Unread;
            }
        }
        if missing > 0 && self.status == Status::Live {
            // The refresher has not come to them yet; whatever it does next, they are not here.
            let done = total - missing;
            self.status = Status::Loading { done, total };
        }
        let never_discovered = |connection: &Connection| {
            connection.is_active() && !sources.discoveries.contains_key(&connection.id)
        };
        let is_undiscovered =
            !is_known && total == 0 && sources.connections.iter().any(never_discovered);
        if is_undiscovered && !matches!(self.status, Status::Offline(_) | Status::Busy(_)) {
            self.status = Status::Loading { done: 0, total: 0 };
        }
    }
}

/// What has moved of the projects of which there are numbers of today.
fn moves_of(cards: &[Card]) -> Moves {
    let of_today = cards.iter().filter_map(|card| {
        let figures = card.figures().filter(|figures| figures.today.is_some())?;
        let is_known = figures.usual.is_some() || figures.moved.is_some();
        Some((&card.key, is_known, figures.moved.as_ref()))
    });
    moves::moves(of_today)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use sign_in_with_posthog::{ConnectionId, ConnectionState, EndReason};

    use super::*;
    use crate::card::Stale;
    use crate::samples::{at, connection, project, sources, today, trouble};
    use pockethog_core::overview::Today;
    use pockethog_core::preferences::Preferences;
    use pockethog_core::project::Project;
    use pockethog_core::snapshot::KnownDiscovery;

    const NOW: i64 = 100_000;

    /// A device of one Connection whose projects have numbers of these seconds, or none.
    struct Device {
        connection: Connection,
        projects: Vec<(Project, Option<Today>)>,
        preferences: Preferences,
        discoveries: HashMap<ConnectionId, KnownDiscovery>,
        status: Status,
    }

    impl Device {
        fn new(measured: &[Option<i64>]) -> Self {
            let connection = connection("ada", "query:read");
            let projects = (1..).zip(measured).map(|(id, measured)| {
                let numbers = measured.map(|second| today(at(second)));
                (project(id, &connection), numbers)
            });
            let listed = KnownDiscovery {
                found_at: at(1),
                failures: Vec::new(),
            };
            Self {
                projects: projects.collect(),
                discoveries: HashMap::from([(connection.id.clone(), listed)]),
                connection,
                preferences: Preferences::default(),
                status: Status::Live,
            }
        }

        fn home(&self) -> Home {
            self.home_with(|_| {})
        }

        fn home_with<'a>(&'a self, change: impl FnOnce(&mut Sources<'a>)) -> Home {
            let mut sources = Sources {
                preferences: &self.preferences,
                projects: self
                    .projects
                    .iter()
                    .map(|(project, today)| Source {
                        project,
                        numbers: today.as_ref().map(Stored::Today),
                        judged: None,
                        explanation: None,
                        trouble: None,
                    })
                    .collect(),
                discoveries: &self.discoveries,
                ..sources(std::slice::from_ref(&self.connection), NOW)
            };
            change(&mut sources);
            Home::new(&sources, &Arrangement::default(), |_| self.status)
        }
    }

    fn ids<'a>(cards: impl IntoIterator<Item = &'a Card>) -> Vec<u64> {
        cards.into_iter().map(|card| card.key.id).collect()
    }

    #[test]
    fn what_is_hidden_is_counted_and_not_summed_up() {
        let mut device = Device::new(&[Some(NOW), Some(NOW), Some(NOW)]);
        let hidden = &device.projects[1].0.key;
        device.preferences.project_mut(hidden).hidden = true;
        let home = device.home();
        assert_eq!((ids(&home.cards), home.hidden), (vec![1, 3], 1));
        assert_eq!(home.total.sum.projects(), 2);
        let only = HashSet::from([hidden.clone()]);
        let home = device.home_with(|sources| sources.only = Some(&only));
        assert_eq!(ids(&home.cards), [2], "asked for by name it is shown");
    }

    #[test]
    fn the_persons_own_order_is_kept_and_used() {
        let mut device = Device::new(&[None, None, None]);
        device.preferences.order = vec!["us/3".to_owned(), "us/1".to_owned()];
        device
            .preferences
            .project_mut(&device.projects[1].0.key)
            .favourite = true;
        let home = device.home();
        assert_eq!(ids(&home.cards), [2, 3, 1]);
        assert_eq!(ids(home.shown_cards()), [2, 3, 1]);
        assert!(home.has_own_order);
    }

    #[test]
    fn a_host_is_named_only_beside_another_one() {
        let mut device = Device::new(&[None, None]);
        assert_eq!(device.home().cards[0].host, None);
        device.projects[1].0.key.host = "eu".to_owned();
        assert_eq!(device.home().cards[0].host.as_deref(), Some("US"));
    }

    #[test]
    fn numbers_that_were_never_read_are_loading_whatever_the_refresher_does() {
        let device = Device::new(&[Some(NOW), None, None]);
        let loading = Status::Loading { done: 1, total: 3 };
        assert_eq!(device.home().status, loading);
        assert!(device.home().is_loading());
        let offline = Status::Offline(None);
        let device = Device {
            status: offline,
            ..device
        };
        assert_eq!(device.home().status, offline);
    }

    #[test]
    fn a_home_whose_numbers_were_all_refused_is_unread_and_not_loading() {
        let device = Device::new(&[None, None]);
        let refused = trouble(NOW);
        let home = device.home_with(|sources| {
            for source in &mut sources.projects {
                source.trouble = Some(&refused);
            }
        });
        assert_eq!((home.status, home.total.unread), (Status::Unread, true));
    }

    #[test]
    fn a_sign_in_whose_projects_were_never_listed_is_loading() {
        let mut device = Device::new(&[]);
        let listed = std::mem::take(&mut device.discoveries);
        let loading = Status::Loading { done: 0, total: 0 };
        assert_eq!(device.home().status, loading);
        device.status = Status::Busy(None);
        assert_eq!(device.home().status, Status::Busy(None));
        device.status = Status::Live;
        device.discoveries = listed;
        assert_eq!(device.home().status, Status::Live, "none was granted");
    }

    #[test]
    fn numbers_of_an_ended_sign_in_do_not_make_the_others_old() {
        let mut device = Device::new(&[Some(NOW - 90_000)]);
        device.connection.state = ConnectionState::Ended(EndReason::RevokedOrExpired);
        let home = device.home();
        assert_eq!(home.oldest_shown(), None);
        assert_eq!(
            home.cards[0].figures().and_then(|figures| figures.stale),
            Some(Stale::SignedOut)
        );
        device.connection.state = ConnectionState::Active;
        assert_eq!(device.home().oldest_shown(), Some(at(NOW - 90_000)));
    }
}
