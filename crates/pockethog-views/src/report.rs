//! Numbers as JSON and as text, for the command line and for widgets. docs/cli.md documents the fields.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::moved;
use pockethog_core::moves::{ByNow, Move};
use pockethog_core::overview::{
    Counts, LeftOut, Period, Point, Today, Total, change_percent, time_zone,
};
use pockethog_core::preferences::Preferences;
use pockethog_core::project::Project;
use pockethog_core::snapshot::Trouble;

/// A project with its numbers, or the reason why it has none. Borrows everything and makes each instant's
/// text only when it is written: a thousand projects have a hundred thousand of them.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    host: &'a str,
    id: u64,
    key: String,
    name: &'a str,
    organization: Option<&'a str>,
    stale: bool,
    trouble: Option<&'a Trouble>,
    #[serde(flatten)]
    numbers: Option<Numbers<'a>>,
    #[serde(flatten)]
    judged: Option<JudgedNumbers>,
}

/// What is usual of the numbers of today, and how they have left that.
#[derive(Debug, Serialize)]
struct JudgedNumbers {
    usual: Option<Value>,
    moved: Option<Value>,
}

impl<'a> Entry<'a> {
    /// A project with today's numbers.
    pub fn today(
        project: &'a Project,
        preferences: &'a Preferences,
        numbers: Option<&'a Today>,
        trouble: Option<&'a Trouble>,
    ) -> Self {
        let numbers = numbers.map(|numbers| Numbers::Today(TodayNumbers::new(numbers)));
        Self::new(project, preferences, numbers, trouble)
    }

    /// A project with the numbers of a range.
    pub fn period(
        project: &'a Project,
        preferences: &'a Preferences,
        numbers: Option<&'a Period>,
        trouble: Option<&'a Trouble>,
    ) -> Self {
        let numbers = numbers.map(|numbers| Numbers::Period(PeriodNumbers::new(numbers)));
        Self::new(project, preferences, numbers, trouble)
    }

    /// The same, with numbers that are not those of now: nobody is online in them.
    #[must_use]
    pub fn stale(mut self, stale: bool) -> Self {
        self.stale = stale;
        if stale && let Some(Numbers::Today(today)) = &mut self.numbers {
            today.online = None;
        }
        self
    }

    /// The same, with what was judged of the numbers of today.
    #[must_use]
    pub fn judged(mut self, by_now: Option<ByNow>, moved: Option<&Move>) -> Self {
        self.judged = Some(JudgedNumbers {
            usual: by_now.map(moved::usual_document),
            moved: moved.map(moved::document),
        });
        self
    }

    fn new(
        project: &'a Project,
        preferences: &'a Preferences,
        numbers: Option<Numbers<'a>>,
        trouble: Option<&'a Trouble>,
    ) -> Self {
        Self {
            host: &project.key.host,
            id: project.key.id,
            key: project.key.to_string(),
            name: preferences.name_of(project),
            organization: project.organization_name.as_deref(),
            stale: false,
            trouble,
            numbers,
            judged: None,
        }
    }
}

/// Sums over projects. A person who visits two projects counts in both.
pub fn total(total: &Total) -> Value {
    let numbers = total.sums.map(|(now, before)| Compared::new(now, before));
    let mut document = json!(numbers.unwrap_or_default());
    document["online"] = total.online.into();
    document["measured_at"] = json!(total.measured_at);
    document["projects"] = total.counted().into();
    document["projects_in_all"] = total.projects().into();
    document
}

/// Unique persons with an event over unique visitors, in percent. `None` without visitors.
pub fn rate_percent(persons: u64, visitors: u64) -> Option<f64> {
    (visitors > 0).then(|| persons as f64 / visitors as f64 * 100.0)
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Numbers<'a> {
    Today(TodayNumbers<'a>),
    Period(PeriodNumbers<'a>),
}

/// Counts of now and before; null if there are none.
#[derive(Debug, Default, Serialize)]
struct Compared {
    visitors: Option<u64>,
    visitors_before: Option<u64>,
    visitors_change_percent: Option<f64>,
    pageviews: Option<u64>,
    pageviews_before: Option<u64>,
    pageviews_change_percent: Option<f64>,
}

impl Compared {
    fn new(now: Counts, before: Counts) -> Self {
        Self {
            visitors: Some(now.visitors),
            visitors_before: Some(before.visitors),
            visitors_change_percent: rounded(change_percent(now.visitors, before.visitors)),
            pageviews: Some(now.pageviews),
            pageviews_before: Some(before.pageviews),
            pageviews_change_percent: rounded(change_percent(now.pageviews, before.pageviews)),
        }
    }
}

#[derive(Debug, Serialize)]
struct TodayNumbers<'a> {
    measured_at: Timestamp,
    time_zone: &'a str,
    time_zone_known: bool,
    #[serde(flatten)]
    counts: Compared,
    online: Option<u64>,
    days: Points<'a>,
    hours: Points<'a>,
    hours_before: Points<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<LeftOutNumbers>,
}

/// What was left out of numbers; absent if they count everything.
#[derive(Debug, Serialize)]
struct LeftOutNumbers {
    test_accounts: bool,
    /// False if PostHog cannot tell bots.
    bots: bool,
}

impl LeftOutNumbers {
    fn new(left_out: LeftOut, lacks_bots: bool) -> Option<Self> {
        (!left_out.is_nothing()).then_some(Self {
            test_accounts: left_out.test_accounts,
            bots: left_out.bots && !lacks_bots,
        })
    }
}

impl<'a> TodayNumbers<'a> {
    fn new(numbers: &'a Today) -> Self {
        let zone = zone(&numbers.time_zone);
        Self {
            measured_at: numbers.measured_at,
            time_zone: &numbers.time_zone,
            time_zone_known: numbers.time_zone_known,
            counts: Compared::new(numbers.today, numbers.yesterday_by_now),
            online: Some(numbers.online),
            days: Points(&numbers.days, zone.clone()),
            hours: Points(&numbers.hours, zone.clone()),
            hours_before: Points(&numbers.hours_yesterday, zone),
            left_out: LeftOutNumbers::new(numbers.asked.left_out, numbers.lacks_bots),
        }
    }
}

#[derive(Debug, Serialize)]
struct PeriodNumbers<'a> {
    measured_at: Timestamp,
    time_zone: &'a str,
    time_zone_known: bool,
    #[serde(flatten)]
    counts: Compared,
    sessions: u64,
    sessions_before: u64,
    sessions_change_percent: Option<f64>,
    points: Points<'a>,
    points_before: Points<'a>,
    conversions: Vec<ConversionNumbers<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<LeftOutNumbers>,
}

#[derive(Debug, Serialize)]
struct ConversionNumbers<'a> {
    event: &'a str,
    persons: u64,
    persons_before: u64,
    rate_percent: Option<f64>,
    rate_before_percent: Option<f64>,
}

impl<'a> PeriodNumbers<'a> {
    fn new(numbers: &'a Period) -> Self {
        let (now, before) = (numbers.now, numbers.before);
        let zone = zone(&numbers.time_zone);
        let conversions = numbers.conversions.iter().map(|figure| ConversionNumbers {
            event: &figure.event,
            persons: figure.persons,
            persons_before: figure.persons_before,
            rate_percent: rounded(rate_percent(figure.persons, now.visitors)),
            rate_before_percent: rounded(rate_percent(figure.persons_before, before.visitors)),
        });
        Self {
            measured_at: numbers.measured_at,
            time_zone: &numbers.time_zone,
            time_zone_known: numbers.time_zone_known,
            counts: Compared::new(now, before),
            sessions: numbers.sessions,
            sessions_before: numbers.sessions_before,
            sessions_change_percent: rounded(change_percent(
                numbers.sessions,
                numbers.sessions_before,
            )),
            points: Points(&numbers.points, zone.clone()),
            points_before: Points(&numbers.points_before, zone),
            conversions: conversions.collect(),
            left_out: LeftOutNumbers::new(numbers.left_out, numbers.lacks_bots),
        }
    }
}

/// Points with the offset of the project's time zone in each instant.
#[derive(Debug)]
struct Points<'a>(&'a [Point], TimeZone);

impl Serialize for Points<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct At {
            start: String,
            visitors: u64,
            pageviews: u64,
        }
        serializer.collect_seq(self.0.iter().map(|point| At {
            start: local(point.start, &self.1),
            visitors: point.visitors,
            pageviews: point.pageviews,
        }))
    }
}

fn zone(name: &str) -> TimeZone {
    time_zone(name).unwrap_or(TimeZone::UTC)
}

/// An instant with the offset of the project's time zone.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

/// One digit after the point: more would pretend.
fn rounded(percent: Option<f64>) -> Option<f64> {
    percent.map(|percent| (percent * 10.0).round() / 10.0)
}
