//! What there is to tell.
//!
//! An event is a project, the number that moved, and since when. It raises one alert: there is no second one while
//! it lasts, if it lasts into the next day, if it comes again within an hour, or if the clock is set back. Nothing is decided from
//! numbers that are not fresh, so a device that wakes up asks first, and then raises what still matters.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sign_in_with_posthog::{ConnectionId, CredentialKind, EndReason, Host};

use super::store::{EndTold, Event, GoalTold, Told};
use super::{Named, News, Subject};
use pockethog_core::age;
use pockethog_core::moves::{self, Direction, Judged, Kind, Metric, Move, State};
use pockethog_core::preferences::{Goal, Preferences};
use pockethog_core::project::ProjectKey;

/// Numbers that are at least this many seconds old raise no alert.
const STALE_SECONDS: i64 = 600;

/// An event that comes again within this time is the same one.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// An event that still lasted so long before the day began, and the day ends of which the next one continues, is one.
const NIGHT: SignedDuration = SignedDuration::from_hours(6);

/// What ended longer ago has passed.
const RECENT: SignedDuration = SignedDuration::from_hours(2);

/// Days of a project begin at least this far from each other.
const DAY: SignedDuration = SignedDuration::from_hours(20);

/// A sign-in that ended longer ago is no news, in seconds.
const END_IS_OLD: i64 = 24 * 3600;

/// What is known of one project now.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// The project.
    pub project: Named,
    /// What was judged of it.
    pub judged: Option<&'a Judged>,
    /// What was counted today, if it has goals.
    pub counts: Option<Counts>,
}

/// What was counted of a project on its day so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// When the day began.
    pub day_began: Timestamp,
    /// Each number.
    pub numbers: Vec<(Metric, u64)>,
}

/// A sign-in that has ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub connection: ConnectionId,
    /// When it had signed in, in Unix seconds: the next time it is another one.
    pub signed_in_at: i64,
    /// When the end was noticed.
    pub ended_at: Option<Timestamp>,
    /// What it is called.
    pub name: String,
    /// Why.
    pub reason: EndReason,
    /// At which PostHog.
    pub host: Host,
    /// How it had signed in.
    pub by: CredentialKind,
}

/// What there is to tell now. It is noted in `told`; if it cannot be kept there it must not be told.
///
/// `seen` is what is known of the projects whose sign-in is active, `ended` are the sign-ins that are not. Quiet hours
/// are by the clock of `zone`, the device's own.
pub fn decide(
    told: &mut Told,
    seen: &[Seen<'_>],
    ended: &[Ended],
    preferences: &Preferences,
    (now, zone): (Timestamp, &TimeZone),
) -> Vec<News> {
    let alerts = &preferences.alerts;
    let is_quiet = alerts
        .quiet_hours
        .is_some_and(|hours| hours.contains(now, zone));
    if !alerts.on || is_quiet {
        return Vec::new();
    }
    told.forget_old(now);
    let of_person = |key: &ProjectKey| {
        let chosen = preferences.projects.get(&key.to_string());
        chosen.is_none_or(|chosen| !chosen.muted && !chosen.hidden)
    };
    let seen: Vec<&Seen<'_>> = seen
        .iter()
        .filter(|seen| of_person(&seen.project.key))
        .collect();
    let mut news = ends(told, ended, now);
    news.extend(movements(told, &seen, now));
    for seen in &seen {
        let chosen = preferences.projects.get(&seen.project.key.to_string());
        if let (Some(chosen), Some(counts)) = (chosen, &seen.counts) {
            news.extend(goals(told, &seen.project, &chosen.goals, counts, now));
        }
    }
    news
}

fn ends(told: &mut Told, ended: &[Ended], now: Timestamp) -> Vec<News> {
    let mut news = Vec::new();
    for end in ended {
        let this = EndTold {
            connection: end.connection.clone(),
            signed_in_at: end.signed_in_at,
        };
        let is_news = end
            .ended_at
            .is_none_or(|at| !age::is_at_least(at, END_IS_OLD, now));
        if !is_news || told.ends.contains(&this) {
            continue;
        }
        told.ends.push(this);
        news.push(News::Ended {
            connection: end.connection.clone(),
            name: end.name.clone(),
            reason: end.reason,
            host: end.host.clone(),
            by: end.by,
        });
    }
    news
}

fn goals(
    told: &mut Told,
    project: &Named,
    goals: &[Goal],
    counts: &Counts,
    now: Timestamp,
) -> Vec<News> {
    if age::is_at_least(counts.measured_at, STALE_SECONDS, now) {
        return Vec::new();
    }
    let mut news = Vec::new();
    for goal in goals {
        let count = counts
            .numbers
            .iter()
            .find(|(metric, _)| *metric == goal.metric)
            .map_or(0, |(_, count)| *count);
        let is_told = told.goals.iter().any(|known| {
            known.project == project.key
                && known.goal == *goal
                && known.day.duration_since(counts.day_began).abs() < DAY
        });
        if count < goal.count || is_told {
            continue;
        }
        told.goals.push(GoalTold {
            project: project.key.clone(),
            goal: goal.clone(),
            day: counts.day_began,
        });
        news.push(News::Goal {
            project: project.clone(),
            goal: goal.clone(),
            count,
        });
    }
    news
}

fn movements(told: &mut Told, seen: &[&Seen<'_>], now: Timestamp) -> Vec<News> {
    let fresh: Vec<(&Named, &Judged)> = seen
        .iter()
        .filter_map(|seen| Some((&seen.project, seen.judged?)))
        .filter(|(_, judged)| {
            judged.speaks_of(now) && !age::is_at_least(judged.measured_at, STALE_SECONDS, now)
        })
        .collect();
    let moved: Vec<Option<Move>> = fresh.iter().map(|(_, judged)| judged.moved(now)).collect();
    let projects = fresh.iter().zip(&moved).map(|((project, judged), moved)| {
        let is_known =
            judged.silent.is_some() || judged.numbers.iter().any(|number| number.by_now.is_some());
        (&project.key, is_known, moved.as_ref())
    });
    let together = moves::moves(projects).together;
    let mut back = Vec::new();
    let mut new = Vec::new();
    for (project, judged) in &fresh {
        for moved in worth_telling(judged, now) {
            let Some(subject) = Subject::of(&moved) else {
                continue;
            };
            if told.meets_again(&project.key, &subject, &moved, judged.day_began, now) {
                continue;
            }
            told.contradict(&project.key, &subject, now);
            new.push((*project, subject, moved));
        }
        back.extend(backs(told, project, judged, now));
    }
    let mut joined = None;
    let mut news = Vec::new();
    for (project, subject, moved) in new {
        let in_it = together
            .filter(|together| together.direction == subject.direction() && !subject.is_errors());
        let was_told = in_it.is_some_and(|all| told.is_together(all.direction, now));
        told.events.push(Event {
            project: project.key.clone(),
            subject,
            since: moved.since,
            seen: now,
            ended: None,
            together: in_it.is_some(),
        });
        match in_it {
            Some(all) if !was_told => joined = Some(all),
            Some(_) => {}
            None => news.push(News::Moved {
                project: project.clone(),
                moved,
            }),
        }
    }
    if let Some(all) = joined {
        let all = News::Together {
            direction: all.direction,
            moved: all.moved,
            of: all.of,
        };
        news.insert(0, all);
    }
    news.extend(back);
    news
}

/// Which moves of a project raise an alert: silence alone, or visitors or pageviews, and conversions only if neither of
/// those moved. More errors always do.
fn worth_telling(judged: &Judged, now: Timestamp) -> Vec<Move> {
    let mut traffic: Option<Direction> = None;
    let mut worth = Vec::new();
    for moved in judged.moves(now) {
        let Some(direction) = moved.direction() else {
            continue;
        };
        let is_worth = match (&moved.kind, &moved.metric) {
            (Kind::Silent, _) => true,
            (_, metric) if metric.is_errors() => true,
            (_, Metric::Visitors | Metric::Pageviews) => traffic.replace(direction).is_none(),
            (_, Metric::Conversion(_)) => traffic != Some(direction),
        };
        if is_worth {
            worth.push(moved);
        }
    }
    worth
}

/// What was told of a project and is over. Only what has lasted into this day and has just ended is worth another word.
fn backs(told: &mut Told, project: &Named, judged: &Judged, now: Timestamp) -> Vec<News> {
    let mut news: Vec<News> = Vec::new();
    let mut together = Vec::new();
    for event in told.open_of(&project.key) {
        let Some(at) = over(&event.subject, event.since, judged) else {
            continue;
        };
        let is_news = event.seen >= judged.day_began && now.duration_since(at) < RECENT;
        event.ended = Some(at);
        if !is_news {
            continue;
        }
        if event.together {
            together.push(event.subject.direction());
            continue;
        }
        let was = event.subject.clone();
        // Visitors and pageviews come back one after the other.
        let is_said = news.iter().any(|said| matches!(said, News::Back { was: other, .. } if other.is_errors() == was.is_errors()));
        if !is_said {
            news.push(News::Back {
                project: project.clone(),
                was,
                since: at,
            });
        }
    }
    for direction in together {
        if !told.is_together(direction, now) {
            news.push(News::TogetherBack { direction });
        }
    }
    news
}

/// Since when something that began at `since` is over, as far as these numbers say so.
fn over(subject: &Subject, since: Timestamp, judged: &Judged) -> Option<Timestamp> {
    match subject {
        Subject::Silent => {
            let again = judged.last_event_at.filter(|at| *at > since);
            again.filter(|_| judged.silent.is_none())
        }
        Subject::Number { metric, direction } => match judged.number(metric)?.state {
            State::BackToUsual { at, was } if was == *direction && at > since => Some(at),
            _ => None,
        },
    }
}

impl Told {
    /// Whether this has been told; if so, notes that it still lasts.
    fn meets_again(
        &mut self,
        project: &ProjectKey,
        subject: &Subject,
        moved: &Move,
        day_began: Timestamp,
        now: Timestamp,
    ) -> bool {
        let mut known = self.events.iter_mut().filter(|event| {
            event.project == *project && event.explains(subject) && event.covers(moved, day_began)
        });
        let Some(event) = known.next() else {
            return false;
        };
        if event.ended.is_none() && event.subject == *subject {
            event.lasts_at(now);
        }
        true
    }

    /// A number that goes the other way is no longer where it was.
    fn contradict(&mut self, project: &ProjectKey, subject: &Subject, now: Timestamp) {
        let Subject::Number { metric, direction } = subject else {
            return;
        };
        for event in self.open_of(project) {
            if let Subject::Number {
                metric: other,
                direction: before,
            } = &event.subject
                && other == metric
                && before != direction
            {
                event.ended = Some(now);
            }
        }
    }

    fn open_of<'a>(&'a mut self, project: &'a ProjectKey) -> impl Iterator<Item = &'a mut Event> {
        let events = self.events.iter_mut();
        events.filter(move |event| event.project == *project && event.ended.is_none())
    }

    /// Whether projects that went there together are not all back, as far as it was noticed of late.
    fn is_together(&self, direction: Direction, now: Timestamp) -> bool {
        self.events.iter().any(|event| {
            event.together
                && event.ended.is_none()
                && event.subject.direction() == direction
                && now.duration_since(event.seen).abs() < RECENT
        })
    }
}

impl Event {
    /// Whether what was told of `subject` is this. After a silence there is less of everything.
    fn explains(&self, subject: &Subject) -> bool {
        let after_silence = self.subject == Subject::Silent
            && subject.direction() == Direction::Down
            && !subject.is_errors();
        self.subject == *subject || after_silence
    }

    /// Whether a move of the same subject is this event.
    fn covers(&self, moved: &Move, day_began: Timestamp) -> bool {
        // A clock that was set back may have noted an end before the beginning.
        let end = self.ended.unwrap_or(self.seen).max(self.since);
        let before = |at: Timestamp, by: SignedDuration| at.saturating_sub(by).unwrap_or(at);
        let is_in_it =
            before(self.since, AGAIN) <= moved.since && before(moved.since, AGAIN) <= end;
        let goes_on =
            moved.continues && self.since <= moved.since && before(day_began, NIGHT) <= end;
        is_in_it || goes_on
    }
}
