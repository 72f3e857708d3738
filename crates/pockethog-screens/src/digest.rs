//! What a digest shows: closed days of all projects on one page.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sign_in_with_posthog::Connection;

use super::home::Home;
use super::sources::{Freshness, Source, Sources};
use pockethog_core::age;
use pockethog_core::annotations::Annotations;
use pockethog_core::causes::Explanation;
use pockethog_core::digest::{ClosedDay, ClosedFigures, ClosedMove, ClosedStretch, Span};
use pockethog_core::discovery::Failure;
use pockethog_core::live::digesting;
use pockethog_core::moves::{Basis, Direction, Kind, Metric, State, UsualRange};
use pockethog_core::overview::{Asked, Row, time_zone};
use pockethog_core::preferences::{Preferences, Scheme};
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::snapshot::{SnapshotError, Snapshots, Trouble, View};

/// The digest of some projects, as plain data.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    /// When it is made.
    pub now: Timestamp,
    /// How many days it is about.
    pub span: Span,
    /// The projects, in the order in which they were given.
    pub projects: Vec<DigestProject>,
    /// What has moved, most surprising first; what was back before the day ended comes last.
    pub moves: Vec<DigestMove>,
    /// How many projects were as usual on all of these days.
    pub ordinary: usize,
    /// How many have nothing that they could be compared with.
    pub unknown: usize,
    /// Visitors of all projects whose numbers are known; each counts its own persons.
    pub total: Figure,
    /// How many projects are in the total.
    pub counted: usize,
}

/// A project in a digest.
#[derive(Clone, Debug, PartialEq)]
pub struct DigestProject {
    /// Which.
    pub key: ProjectKey,
    /// Its name.
    pub name: String,
    /// A colour scheme of its own.
    pub scheme: Option<Scheme>,
    /// Its zone.
    pub zone: TimeZone,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub until: Date,
    /// When its numbers were read. `None` if only its closed days are known.
    pub measured_at: Option<Timestamp>,
    /// True if its numbers could not be read now, and are those that were read before.
    pub is_old: bool,
    /// Distinct visitors. `None` if nothing is known of these days.
    pub visitors: Option<Figure>,
    /// Views.
    pub pageviews: Option<Figure>,
    /// The chosen conversion events by name, in the order they were chosen.
    pub conversions: Vec<(String, Figure)>,
    /// The pages with the most visitors. `None` if they were not read.
    pub pages: Option<Vec<Row>>,
    /// Referrers that sent nobody in the days before. `None` if they were not read.
    pub new_referrers: Option<Vec<Row>>,
}

/// A number of a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    /// What was counted.
    pub count: u64,
    /// The same over as many days before, if known.
    pub before: Option<u64>,
    /// What is usual on such a day, if known.
    pub usual: Option<UsualRange>,
    /// What that comes from.
    pub basis: Option<Basis>,
    /// Where it was when the day ended, if outside of that.
    pub outside: Option<Direction>,
}

/// A day on which a project has moved.
#[derive(Clone, Debug, PartialEq)]
pub struct DigestMove {
    /// The place of the project in [`Digest::projects`].
    pub project: usize,
    /// The day.
    pub date: Date,
    /// How.
    pub closed: ClosedMove,
    /// Why, if that was asked for.
    pub explanation: Option<Explanation>,
    /// The text of a note near it.
    pub note: Option<String>,
}

/// What is stored of a project, as a digest needs it.
#[derive(Clone, Debug)]
pub struct DigestSource {
    /// Which.
    pub key: ProjectKey,
    /// Its name.
    pub name: String,
    /// A colour scheme of its own.
    pub scheme: Option<Scheme>,
    /// The name of its zone.
    pub time_zone: String,
    /// What is asked of it now.
    pub asked: Asked,
    /// The days.
    pub stretch: ClosedStretch,
    /// What is known of each closed day.
    pub days: Vec<ClosedDay>,
    /// The last figures that were read, of these days or of others.
    pub figures: Option<ClosedFigures>,
    /// Why they could not be read.
    pub trouble: Option<Trouble>,
    /// Its notes, if they were read.
    pub annotations: Option<Annotations>,
}

/// A run that has read what was due of some projects.
#[derive(Clone, Copy, Debug)]
pub struct DigestRun<'a> {
    /// Names and choices.
    pub preferences: &'a Preferences,
    /// All Connections.
    pub connections: &'a [Connection],
    /// The projects, in their order.
    pub projects: &'a [Project],
    /// These projects alone were asked for, hidden or not.
    pub only: Option<&'a HashSet<ProjectKey>>,
    /// When it began.
    pub started: Timestamp,
    /// When it is looked at.
    pub now: Timestamp,
}

impl DigestRun<'_> {
    /// The digest, and what could not be read.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read or written.
    pub fn digest(
        &self,
        snapshots: &mut Snapshots,
        span: Span,
    ) -> Result<(Digest, Vec<Failure>), SnapshotError> {
        let mut all = Vec::with_capacity(self.projects.len());
        let mut troubles = HashMap::new();
        for project in self.projects {
            let source = DigestSource::read(snapshots, self.preferences, project, span, self.now)?;
            let of_history = snapshots.trouble(&project.key, View::History)?;
            if let Some(trouble) = source.trouble.clone().or(of_history) {
                troubles.insert(&project.key, trouble);
            }
            all.push(source);
        }
        let discoveries = snapshots.discoveries(self.connections)?;
        let source = |project| Source {
            project,
            numbers: None,
            judged: None,
            explanation: None,
            trouble: troubles.get(&project.key),
        };
        let sources = Sources {
            now: self.now,
            freshness: Freshness::Since(self.started),
            preferences: self.preferences,
            connections: self.connections,
            projects: self.projects.iter().map(source).collect(),
            only: self.only,
            discoveries: &discoveries,
            outages: HashMap::new(),
        };
        let failures = Home::of_run(&sources).failures(&sources);
        Ok((Digest::new(span, &all, self.now), failures))
    }
}

impl Digest {
    /// The digest of these projects.
    #[must_use]
    pub fn new(span: Span, sources: &[DigestSource], now: Timestamp) -> Self {
        let projects: Vec<DigestProject> = sources.iter().map(DigestProject::new).collect();
        let mut digest = Self {
            now,
            span,
            moves: Vec::new(),
            ordinary: 0,
            unknown: 0,
            total: total(&projects),
            counted: projects.iter().filter(|one| one.visitors.is_some()).count(),
            projects,
        };
        for (place, source) in sources.iter().enumerate() {
            let is_known = source.days.iter().any(|day| {
                let visitors = day.number(&Metric::Visitors);
                visitors.is_some_and(|visitors| visitors.by_now.is_some())
            });
            if !is_known {
                digest.unknown += 1;
                continue;
            }
            let before = digest.moves.len();
            let moves = source
                .days
                .iter()
                .filter_map(|day| source.moved(place, day));
            digest.moves.extend(moves);
            if digest.moves.len() == before {
                digest.ordinary += 1;
            }
        }
        digest.moves.sort_by(|a, b| {
            let is_back = |one: &DigestMove| one.closed.moved.kind == Kind::BackToUsual;
            let surprise = |one: &DigestMove| one.closed.moved.surprise();
            let by_kind = is_back(a).cmp(&is_back(b));
            by_kind.then_with(|| surprise(b).total_cmp(&surprise(a)))
        });
        digest
    }

    /// Whether the numbers of any project are those of now.
    #[must_use]
    pub fn any_fresh(&self) -> bool {
        let mut projects = self.projects.iter();
        projects.any(|project| project.measured_at.is_some() && !project.is_old)
    }
}

impl DigestSource {
    /// What is stored of a project.
    ///
    /// # Errors
    ///
    /// The Snapshots cannot be read or written.
    pub fn read(
        snapshots: &mut Snapshots,
        preferences: &Preferences,
        project: &Project,
        span: Span,
        now: Timestamp,
    ) -> Result<Self, SnapshotError> {
        let (stretch, days) = digesting::closed_days(snapshots, preferences, project, span, now)?;
        let key = &project.key;
        Ok(Self {
            key: key.clone(),
            name: preferences.name_of(project).to_owned(),
            scheme: preferences.project(key).scheme,
            time_zone: project.time_zone.clone(),
            asked: preferences.asked(project),
            stretch,
            days,
            figures: snapshots.view(key, View::Digest(span))?,
            trouble: snapshots.trouble(key, View::Digest(span))?,
            annotations: snapshots.view(key, View::Annotations)?,
        })
    }

    /// The figures, if they are of these days and were asked for in this way.
    fn current(&self) -> Option<&ClosedFigures> {
        let figures = self.figures.as_ref()?;
        (figures.stretch == self.stretch && figures.asked == self.asked).then_some(figures)
    }

    fn moved(&self, project: usize, day: &ClosedDay) -> Option<DigestMove> {
        let closed = day.moved.clone()?;
        let explained = self.current().and_then(|known| known.explained.as_ref());
        let explained = explained.filter(|explained| explained.day == day.start);
        let note = self
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.near(closed.moved.since));
        Some(DigestMove {
            project,
            date: day.date,
            explanation: explained.map(|explained| explained.explanation.clone()),
            note: note.map(|note| note.text.clone()),
            closed,
        })
    }

    /// The day that the whole digest of this project is about, if it is about one.
    fn day(&self) -> Option<&ClosedDay> {
        match self.stretch.span {
            Span::Day => self.days.last(),
            Span::Week => None,
        }
    }
}

impl DigestProject {
    fn new(source: &DigestSource) -> Self {
        let zone = time_zone(&source.time_zone).unwrap_or(TimeZone::UTC);
        let date = |at: Timestamp| zone.to_datetime(at).date();
        let current = source.current();
        let last_second = source.stretch.until.checked_sub(1.second());
        let figure = |metric: &Metric, counts: Option<(u64, u64)>| {
            let number = source.day().and_then(|day| day.number(metric));
            Figure::new(number, counts)
        };
        let counts = |of: fn(&ClosedFigures) -> (u64, u64)| current.map(of);
        let conversions = source.asked.conversions.iter().enumerate();
        Self {
            key: source.key.clone(),
            name: source.name.clone(),
            scheme: source.scheme,
            from: date(source.stretch.from),
            until: date(last_second.unwrap_or(source.stretch.until)),
            measured_at: current.map(|figures| figures.measured_at),
            is_old: current.is_some_and(|figures| {
                let trouble = source.trouble.as_ref();
                trouble.is_some_and(|trouble| trouble.at > figures.measured_at)
            }),
            visitors: figure(
                &Metric::Visitors,
                counts(|figures| (figures.now.visitors, figures.before.visitors)),
            ),
            pageviews: figure(
                &Metric::Pageviews,
                counts(|figures| (figures.now.pageviews, figures.before.pageviews)),
            ),
            conversions: conversions
                .filter_map(|(nth, event)| {
                    let found = current.and_then(|figures| figures.conversions.get(nth));
                    let counts = found.map(|found| (found.persons, found.persons_before));
                    let figure = figure(&Metric::Conversion(event.clone()), counts)?;
                    Some((event.clone(), figure))
                })
                .collect(),
            pages: current.map(|figures| figures.pages.clone()),
            new_referrers: current.map(|figures| figures.new_referrers.clone()),
            zone,
        }
    }

    /// How old its numbers are in seconds, if they could not be read now.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<i64> {
        let measured = self.measured_at.filter(|_| self.is_old)?;
        age::seconds(measured, now)
    }
}

impl Figure {
    /// A number of a closed day as it was judged, or else as it was counted.
    fn new(
        number: Option<&pockethog_core::moves::Number>,
        counts: Option<(u64, u64)>,
    ) -> Option<Self> {
        let whole = number.and_then(|number| number.by_now);
        let count = whole
            .map(|whole| whole.count)
            .or(counts.map(|(now, _)| now))?;
        Some(Self {
            count,
            before: counts.map(|(_, before)| before),
            usual: whole.map(|whole| whole.usual),
            basis: whole.map(|whole| whole.basis),
            outside: number.and_then(|number| match number.state {
                State::Moved(left) => Some(left.direction),
                _ => None,
            }),
        })
    }
}

/// The sum of the visitors. What is usual of it is only known if it is of each project that is in it.
fn total(projects: &[DigestProject]) -> Figure {
    let known = || projects.iter().filter_map(|project| project.visitors);
    let sum = |of: fn(&Figure) -> u64| known().map(|one| of(&one)).fold(0, u64::saturating_add);
    Figure {
        count: sum(|one| one.count),
        before: known()
            .all(|one| one.before.is_some())
            .then(|| sum(|one| one.before.unwrap_or(0))),
        usual: None,
        basis: None,
        outside: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pockethog_core::discovery::Cause;
    use pockethog_core::moves::{ByNow, Left, Look, Move, Number};
    use pockethog_core::overview::{ConversionFigure, Counts};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn stretch() -> ClosedStretch {
        ClosedStretch {
            span: Span::Day,
            before: at("2026-11-22T23:00:00Z"),
            from: at("2026-11-23T23:00:00Z"),
            until: at("2026-11-24T23:00:00Z"),
        }
    }

    fn figures(measured_at: &str) -> ClosedFigures {
        ClosedFigures {
            measured_at: at(measured_at),
            asked: Asked::new("Europe/Berlin", &["Paid".to_owned()]),
            stretch: stretch(),
            now: Counts {
                visitors: 460,
                pageviews: 900,
            },
            before: Counts {
                visitors: 170,
                pageviews: 300,
            },
            conversions: vec![ConversionFigure {
                event: "Paid".to_owned(),
                persons: 4,
                persons_before: 6,
            }],
            pages: Vec::new(),
            new_referrers: Vec::new(),
            explained: None,
        }
    }

    fn spike() -> ClosedDay {
        let usual = UsualRange {
            centre: 170.0,
            low: 150,
            high: 190,
        };
        let since = at("2026-11-24T12:15:00Z");
        let moved = Move {
            kind: Kind::Spike,
            metric: Metric::Visitors,
            since,
            look: Look::SoFar,
            count: 457,
            usual: Some(usual),
            basis: Some(Basis::Weeks(8)),
            usual_gap: None,
            continues: false,
        };
        let left = Left {
            direction: Direction::Up,
            look: Look::SoFar,
            since,
            count: 457,
            usual,
            continues: false,
        };
        ClosedDay {
            date: "2026-11-24".parse().unwrap(),
            start: stretch().from,
            end: stretch().until,
            numbers: vec![Number {
                metric: Metric::Visitors,
                by_now: Some(ByNow {
                    count: 457,
                    usual,
                    basis: Basis::Weeks(8),
                }),
                whole_day: 170.0,
                state: State::Moved(left),
            }],
            moved: Some(ClosedMove { moved, was: None }),
        }
    }

    fn source(id: u64) -> DigestSource {
        DigestSource {
            key: ProjectKey {
                host: "us".into(),
                id,
            },
            name: format!("Project {id}"),
            scheme: None,
            time_zone: "Europe/Berlin".to_owned(),
            asked: Asked::new("Europe/Berlin", &["Paid".to_owned()]),
            stretch: stretch(),
            days: Vec::new(),
            figures: Some(figures("2026-11-25T06:00:00Z")),
            trouble: None,
            annotations: None,
        }
    }

    fn now() -> Timestamp {
        at("2026-11-25T06:00:10Z")
    }

    #[test]
    fn a_judged_day_shows_the_number_that_was_judged() {
        let moved = DigestSource {
            days: vec![spike()],
            ..source(1)
        };
        let digest = Digest::new(Span::Day, &[moved, source(2)], now());
        let visitors = digest.projects[0].visitors.unwrap();
        assert_eq!((visitors.count, visitors.before), (457, Some(170)));
        assert_eq!(visitors.outside, Some(Direction::Up));
        assert_eq!((digest.unknown, digest.ordinary), (1, 0));
        assert_eq!((digest.moves.len(), digest.total.count), (1, 917));
        assert_eq!(digest.projects[0].until.to_string(), "2026-11-24");
        assert_eq!(digest.projects[1].conversions[0].1.count, 4);
    }

    #[test]
    fn numbers_of_another_day_are_not_those_of_this_one() {
        let mut other = figures("2026-11-24T06:00:00Z");
        other.stretch.until = other.stretch.from;
        let source = DigestSource {
            figures: Some(other),
            ..source(1)
        };
        let digest = Digest::new(Span::Day, &[source], now());
        assert_eq!(digest.projects[0].visitors, None);
        assert!(!digest.any_fresh());
    }

    #[test]
    fn numbers_that_could_not_be_read_again_have_an_age() {
        let refused = Trouble {
            at: now(),
            reason: "busy".to_owned(),
            transient: true,
            cause: Cause::Busy,
            retry_at: None,
        };
        let source = DigestSource {
            trouble: Some(refused),
            ..source(1)
        };
        let digest = Digest::new(Span::Day, &[source], now());
        assert_eq!(digest.projects[0].age(now()), Some(10));
    }
}
