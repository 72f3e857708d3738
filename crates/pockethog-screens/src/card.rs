//! One project on the home screen: its numbers, how fresh they are, and why there are none.

use jiff::Timestamp;
use jiff::civil::Date;
use sign_in_with_posthog::{Connection, ConnectionId, EndReason};

use super::sources::{Freshness, Source, Sources, Stored};
use pockethog_core::access;
use pockethog_core::age;
use pockethog_core::moves::{ByNow, Judged, Kind, Move, visitors_change};
use pockethog_core::overview::{Change, Counts};
use pockethog_core::preferences::{ProjectPreferences, Scheme};
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::snapshot::Trouble;

/// Numbers that are older than this many seconds show their age, whatever the reason.
const OLD_SECONDS: i64 = 3600;

/// How long after midnight numbers of the day before are not remarked upon, in seconds.
const MIDNIGHT_GRACE: i64 = 300;

/// Nobody is online now in numbers that are older than this many seconds.
pub(super) const NOW_SECONDS: i64 = 900;

/// A project on the home screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Which project.
    pub key: ProjectKey,
    /// The Connection that reads it.
    pub connection: ConnectionId,
    /// The name to show.
    pub name: String,
    /// Its website, its organization or its Host, whatever is known first.
    pub subtitle: String,
    /// `US`, `EU` or the host; only if projects of several Hosts are shown.
    pub host: Option<String>,
    /// Shown first.
    pub favourite: bool,
    /// A colour scheme of its own.
    pub scheme: Option<Scheme>,
    /// Its numbers.
    pub numbers: Numbers,
    /// Why the last attempt to read them failed, if it is not older than the numbers.
    pub trouble: Option<Trouble>,
}

/// The numbers of a card.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Never read so far.
    Loading,
    /// No event ever arrived. The zeros, if they were read.
    Empty(Option<Figures>),
    /// Could not be read, and none are known from before.
    Unreadable(Unreadable),
    /// Known.
    Known(Figures),
}

/// Why there are no numbers at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The sign-in has ended by itself.
    SignedOut(EndReason),
    /// The permission `query:read` was not granted.
    NotGranted,
    /// The last attempt failed: [`Card::trouble`] says why.
    Failed,
    /// The Host does not answer, in the error's words.
    Outage(String),
}

/// Numbers of today, or of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// Today, or the range, up to now.
    pub now: Counts,
    /// Yesterday by now, or the period before.
    pub before: Counts,
    /// Persons who are there now. `None` if that was not asked, or too long ago.
    pub online: Option<u64>,
    /// Visitors of the last 30 days, or of the range, oldest first.
    pub curve: Vec<u64>,
    /// The last of these days by the project's calendar, if they end today.
    pub today: Option<Date>,
    /// The zone that its days are cut in.
    pub time_zone: String,
    /// The visitors of today beside what is usual by now, if they are of now and that is known.
    pub usual: Option<ByNow>,
    /// How the project has moved, if it has.
    pub moved: Option<Move>,
    /// Why they are not the numbers of now, if they are not.
    pub stale: Option<Stale>,
    /// The zone that its days are shown in, if its own is unknown here.
    pub unknown_zone: Option<String>,
}

/// Why numbers are not those of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The sign-in has ended by itself: nobody reads them any longer.
    SignedOut,
    /// The last attempt failed: [`Card::trouble`] says why.
    Failed,
    /// They are old. If the reason is known, it concerns more than this project and is shown once for all.
    Old,
}

impl Figures {
    /// The change that is shown beside the visitors. Of today it is the change from what is usual by now, and has a colour
    /// exactly if visitors have left their range; if nothing is known of that, it is the change from the day before,
    /// without a colour. Of a range it is the change from the period before.
    pub fn change(&self) -> Change {
        let counts = (self.now.visitors, self.before.visitors);
        match self.today {
            Some(_) => visitors_change(self.moved.as_ref(), self.usual, counts),
            None => Change::between(counts.0, counts.1),
        }
    }

    /// How unusual it is: what has moved comes first, and the rest by how near it is to leaving its range.
    pub(super) fn surprise(&self) -> f64 {
        match (&self.moved, self.usual) {
            (Some(moved), _) if moved.kind == Kind::Silent => f64::MAX,
            (Some(moved), _) if moved.direction().is_some() => 1e6 + moved.surprise(),
            (_, Some(by_now)) => by_now.usual.distance(by_now.count),
            _ => -1.0,
        }
    }
}

impl Card {
    /// What is known of the numbers, zeros of a project without events included.
    pub fn figures(&self) -> Option<&Figures> {
        match &self.numbers {
            Numbers::Known(figures) => Some(figures),
            Numbers::Empty(figures) => figures.as_ref(),
            Numbers::Loading | Numbers::Unreadable(_) => None,
        }
    }

    /// Whether its numbers are shown and are not those of now.
    pub fn is_old(&self) -> bool {
        matches!(&self.numbers, Numbers::Known(figures) if figures.stale.is_some())
    }

    /// Whether there are numbers, and they are those of now.
    pub fn is_fresh(&self) -> bool {
        self.figures()
            .is_some_and(|figures| figures.stale.is_none())
    }

    /// Whether a sign-in that has ended is why its numbers are not those of now.
    pub(super) fn is_signed_out(&self) -> bool {
        matches!(&self.numbers, Numbers::Known(figures) if figures.stale == Some(Stale::SignedOut))
    }

    /// The card of one project. `host` labels its Host if that is needed.
    pub(super) fn new(
        sources: &Sources<'_>,
        source: &Source<'_>,
        connection: &Connection,
        chosen: &ProjectPreferences,
        host: Option<String>,
    ) -> Self {
        let project = source.project;
        let look = Look {
            freshness: sources.freshness,
            now: sources.now,
            ended: connection.ended_by_itself(),
            may_query: connection.grant.scopes.allows("query:read"),
            outage: sources.outages.get(&connection.id).map(String::as_str),
            has_events: project.has_events,
        };
        let trouble = look.trouble(source, connection);
        Self {
            key: project.key.clone(),
            connection: connection.id.clone(),
            name: chosen.name.as_deref().unwrap_or(&project.name).to_owned(),
            subtitle: subtitle(project, connection),
            host,
            favourite: chosen.favourite,
            scheme: chosen.scheme,
            numbers: look.numbers(source, trouble.as_ref()),
            trouble,
        }
    }
}

/// A project's website, its organization or its Host, whatever is known first.
pub(super) fn subtitle(project: &Project, connection: &Connection) -> String {
    project
        .website
        .clone()
        .or_else(|| project.organization_name.clone())
        .unwrap_or_else(|| connection.host.name())
}

/// What the numbers of a project are looked at by.
struct Look<'a> {
    freshness: Freshness,
    now: Timestamp,
    ended: Option<EndReason>,
    may_query: bool,
    outage: Option<&'a str>,
    has_events: Option<bool>,
}

impl Look<'_> {
    /// Why the last attempt failed, if that is not older than the numbers or than this run.
    fn trouble(&self, source: &Source<'_>, connection: &Connection) -> Option<Trouble> {
        let now = self.now;
        let known = match self.freshness {
            Freshness::Every(_) => source.trouble.filter(|trouble| {
                source.numbers.is_none_or(|numbers| {
                    age::trusted(trouble.at, now) >= age::trusted(numbers.measured_at(), now)
                })
            }),
            Freshness::Since(_) if self.ended.is_some() => return access::trouble(connection, now),
            Freshness::Since(started) => source.trouble.filter(|trouble| {
                // It was not asked for again before the time that PostHog has named.
                let rests = trouble.retry_at.is_some_and(|at| at > started);
                rests || age::is_since_second(trouble.at, started, now)
            }),
        };
        known.cloned()
    }

    fn numbers(&self, source: &Source<'_>, trouble: Option<&Trouble>) -> Numbers {
        let no_events = self.has_events == Some(false);
        let Some(stored) = source.numbers else {
            return match (self.ended, trouble, self.outage) {
                (Some(reason), ..) => Numbers::Unreadable(Unreadable::SignedOut(reason)),
                _ if !self.may_query => Numbers::Unreadable(Unreadable::NotGranted),
                (None, Some(_), _) => Numbers::Unreadable(Unreadable::Failed),
                (None, None, Some(outage)) => {
                    Numbers::Unreadable(Unreadable::Outage(outage.to_owned()))
                }
                (None, None, None) if no_events => Numbers::Empty(None),
                (None, None, None) => Numbers::Loading,
            };
        };
        let (now, before) = stored.counts();
        let stale = self.stale(stored, trouble);
        // What was judged belongs to these numbers, and says nothing about now if they do not.
        let judged = source.judged.filter(|judged| {
            stored.date() == Some(judged.date) && stale.is_none() && judged.speaks_of(self.now)
        });
        let figures = Figures {
            measured_at: stored.measured_at(),
            now,
            before,
            online: stored.online().filter(|_| self.is_now(stored, stale)),
            curve: stored.curve(),
            today: stored.date(),
            time_zone: stored.time_zone().to_owned(),
            usual: judged.and_then(Judged::visitors_by_now),
            moved: judged.and_then(|judged| judged.moved(self.now)),
            stale,
            unknown_zone: stored.unknown_zone(),
        };
        let nothing = |counts: Counts| counts.visitors == 0;
        let is_empty = nothing(now) && nothing(before) && figures.curve.iter().all(|&day| day == 0);
        if is_empty && no_events {
            Numbers::Empty(Some(figures))
        } else {
            Numbers::Known(figures)
        }
    }

    fn stale(&self, stored: Stored<'_>, trouble: Option<&Trouble>) -> Option<Stale> {
        let measured_at = stored.measured_at();
        let is_old = |seconds| age::is_at_least(measured_at, seconds, self.now);
        match self.freshness {
            Freshness::Since(started) => {
                let reason = match (self.ended, trouble) {
                    (Some(_), _) => Stale::SignedOut,
                    (None, Some(_)) => Stale::Failed,
                    (None, None) => Stale::Old,
                };
                (!age::is_since(measured_at, started, self.now)).then_some(reason)
            }
            Freshness::Every(cadence) => match (trouble, self.outage) {
                _ if self.ended.is_some() => Some(Stale::SignedOut),
                (Some(_), None) => Some(Stale::Failed),
                // If the whole Connection is in trouble, the status or the problems say so, once.
                (_, Some(_)) if is_old(cadence.fresh_seconds()) => Some(Stale::Old),
                _ if is_old(OLD_SECONDS) => Some(Stale::Old),
                // Right after midnight the new numbers are on their way.
                _ if is_old(MIDNIGHT_GRACE) && stored.day_is_over(self.now) => Some(Stale::Old),
                _ => None,
            },
        }
    }

    /// Whether who was online then is online now.
    fn is_now(&self, stored: Stored<'_>, stale: Option<Stale>) -> bool {
        match self.freshness {
            Freshness::Since(_) => stale.is_none(),
            Freshness::Every(_) => {
                self.outage.is_none()
                    && !age::is_at_least(stored.measured_at(), NOW_SECONDS, self.now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::samples::{self, at, connection, project, today, trouble};
    use pockethog_core::preferences::Cadence;

    /// The judgement of a project whose numbers were read at the second `measured`, at the second `now`.
    struct Case {
        ended: Option<EndReason>,
        may_query: bool,
        outage: Option<&'static str>,
        has_events: Option<bool>,
        freshness: Freshness,
        now: i64,
    }

    impl Default for Case {
        fn default() -> Self {
            Self {
                ended: None,
                may_query: true,
                outage: None,
                has_events: None,
                freshness: Freshness::Every(Cadence::Minute),
                now: 100_000,
            }
        }
    }

    impl Case {
        fn card(&self, measured: Option<i64>, failed: Option<i64>) -> Card {
            let scopes = if self.may_query { "query:read" } else { "" };
            let mut connection = connection("ada", scopes);
            if let Some(reason) = self.ended {
                connection.state = sign_in_with_posthog::ConnectionState::Ended(reason);
            }
            let mut project = project(1, &connection);
            project.has_events = self.has_events;
            let numbers = measured.map(|second| today(at(second)));
            let failed = failed.map(trouble);
            let source = Source {
                project: &project,
                numbers: numbers.as_ref().map(Stored::Today),
                judged: None,
                explanation: None,
                trouble: failed.as_ref(),
            };
            let outages = self
                .outage
                .map(|reason| (connection.id.clone(), reason.to_owned()));
            let sources = Sources {
                freshness: self.freshness,
                outages: outages.into_iter().collect(),
                ..samples::sources(&[], self.now)
            };
            let chosen = ProjectPreferences::default();
            Card::new(&sources, &source, &connection, &chosen, None)
        }

        fn stale(&self, measured: i64, failed: Option<i64>) -> Option<Stale> {
            let card = self.card(Some(measured), failed);
            card.figures().unwrap().stale
        }
    }

    #[test]
    fn a_project_without_numbers_says_why_the_reason_that_needs_most_first() {
        let numbers = |case: Case, failed| case.card(None, failed).numbers;
        let usual = Case::default;
        let ended = Some(EndReason::Narrowed);
        assert_eq!(numbers(usual(), None), Numbers::Loading);
        let has_events = Some(false);
        assert_eq!(
            numbers(
                Case {
                    has_events,
                    ..usual()
                },
                None
            ),
            Numbers::Empty(None)
        );
        let outage = Some("offline");
        assert_eq!(
            numbers(
                Case {
                    outage,
                    has_events,
                    ..usual()
                },
                None
            ),
            Numbers::Unreadable(Unreadable::Outage("offline".to_owned()))
        );
        assert_eq!(
            numbers(Case { outage, ..usual() }, Some(1)),
            Numbers::Unreadable(Unreadable::Failed)
        );
        let may_query = false;
        assert_eq!(
            numbers(
                Case {
                    may_query,
                    outage,
                    ..usual()
                },
                Some(1)
            ),
            Numbers::Unreadable(Unreadable::NotGranted)
        );
        assert_eq!(
            numbers(
                Case {
                    ended,
                    may_query,
                    outage,
                    ..usual()
                },
                Some(1)
            ),
            Numbers::Unreadable(Unreadable::SignedOut(EndReason::Narrowed))
        );
    }

    #[test]
    fn old_numbers_are_remarked_upon_and_a_failure_only_if_it_came_after_them() {
        let usual = Case::default();
        assert_eq!(usual.stale(99_990, None), None);
        assert_eq!(usual.stale(99_990, Some(99_980)), None);
        assert_eq!(usual.stale(99_990, Some(99_990)), Some(Stale::Failed));
        assert_eq!(usual.stale(96_401, None), None);
        assert_eq!(usual.stale(96_400, None), Some(Stale::Old));
        let ended = Some(EndReason::Narrowed);
        let ended = Case {
            ended,
            ..Case::default()
        };
        assert_eq!(ended.stale(99_990, Some(99_995)), Some(Stale::SignedOut));
    }

    #[test]
    fn an_outage_of_the_connection_is_not_said_again_on_each_card() {
        let outage = Some("offline");
        let outage = Case {
            outage,
            ..Case::default()
        };
        assert_eq!(outage.stale(99_990, Some(99_995)), None);
        assert_eq!(outage.stale(99_865, Some(99_995)), Some(Stale::Old));
    }

    #[test]
    fn numbers_of_yesterday_have_five_minutes_after_midnight() {
        let midnight = 172_800;
        let at = |now| Case {
            now,
            ..Case::default()
        };
        assert_eq!(at(midnight - 1).stale(midnight - 400, None), None);
        assert_eq!(at(midnight).stale(midnight - 400, None), Some(Stale::Old));
        assert_eq!(at(midnight).stale(midnight - 60, None), None);
    }

    #[test]
    fn nobody_is_online_in_numbers_of_a_quarter_of_an_hour_ago_or_during_an_outage() {
        let online = |case: &Case, measured| {
            let card = case.card(Some(measured), None);
            card.figures().unwrap().online
        };
        let usual = Case::default();
        assert_eq!(online(&usual, 99_101), Some(1));
        assert_eq!(online(&usual, 99_100), None);
        let outage = Some("offline");
        let outage = Case {
            outage,
            ..Case::default()
        };
        assert_eq!(online(&outage, 99_990), None);
    }

    #[test]
    fn what_a_clock_that_was_ahead_noted_is_not_of_this_run() {
        let freshness = Freshness::Since(at(99_000));
        let run = Case {
            freshness,
            ..Case::default()
        };
        let ahead = run.card(Some(103_600), Some(103_600));
        assert!(!ahead.is_fresh() && ahead.trouble.is_none());
        assert_eq!(ahead.figures().unwrap().stale, Some(Stale::Old));
        assert_eq!(ahead.figures().unwrap().online, None);
        let fresh = run.card(Some(99_500), Some(98_000));
        assert!(fresh.is_fresh() && fresh.trouble.is_none());
        assert_eq!(fresh.figures().unwrap().online, Some(1));
        let failed = run.card(Some(98_000), Some(99_500));
        assert_eq!(failed.figures().unwrap().stale, Some(Stale::Failed));
    }
}
