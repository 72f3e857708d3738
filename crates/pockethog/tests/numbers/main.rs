//! Every number on the screens equals a second, independent computation over the embedded PostHog's
//! events: all projects, all ranges, many time zones, and across changes of the clock.

#![allow(clippy::unwrap_used)]

mod causes;
mod history;
mod left_out;
mod reckoning;
mod today_alone;

use demo_posthog::{Demo, Instance, Options, Reach, Size};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pockethog_core::overview::{
    Axis, Breakdown, Breakdowns, DayClock, LeftOut, Part, Period, Point, Range, Today, Total,
    Window, change_percent,
};
use pockethog_views::report;
use posthog_api::{Bearer, BearerError, Client, HogQl, Limits, RateLimiter, Rows, Token};
use reckoning::{Hour, Reckoning, Span, Tally, hour, local};

const SCOPES: &str =
    "openid profile organization:read project:read query:read event_definition:read";

/// Two conversions: a common one, and one that never happens.
const CONVERSIONS: [&str; 3] = ["signed_up", "paid", "it's \"odd\""];

#[derive(Clone)]
struct Fixed(String);

impl Token for Fixed {
    fn expose(&self) -> &str {
        &self.0
    }
}

impl Bearer for Fixed {
    type Token = Self;

    async fn token(&self) -> Result<Self, BearerError> {
        Ok(self.clone())
    }

    async fn replacement(&self, _: &Self) -> Result<Self, BearerError> {
        Err(BearerError::signed_out("refused"))
    }
}

struct Site {
    id: u64,
    zone: String,
    reckoning: Reckoning,
    client: Client<Fixed>,
    now: Timestamp,
    /// What is left out of every answer, and of the reckoning.
    left_out: LeftOut,
}

impl Site {
    async fn ask(&self, query: &HogQl) -> Rows {
        let query = self.left_out.of(query.clone());
        self.client.query(self.id, None, &query).await.unwrap()
    }

    fn clock(&self) -> DayClock {
        DayClock::new(&self.zone, self.now)
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.zone).unwrap()
    }
}

async fn start(now: &str) -> Demo {
    let options = Options {
        now: Some(now.parse().unwrap()),
        size: Size::Standard,
        ..Options::default()
    };
    Demo::start(options).await.unwrap()
}

/// The projects of a region whose time zone is wanted.
fn sites(instance: &Instance, wanted: impl Fn(&str) -> bool) -> Vec<Site> {
    let token = instance
        .sign_in_directly(1, Reach::All, SCOPES, false)
        .access_token;
    let now = instance.now();
    let projects = instance
        .world()
        .projects
        .iter()
        .filter(|project| wanted(&project.time_zone));
    projects
        .map(|project| Site {
            id: project.id,
            zone: project.time_zone.clone(),
            reckoning: Reckoning::new(
                &instance.events(project.id).unwrap(),
                &project.time_zone,
                now,
            ),
            client: Client::new(
                pockethog_device::http::client().unwrap(),
                instance.address().parse().unwrap(),
                Fixed(token.clone()),
                RateLimiter::new(Limits::OAUTH),
            ),
            now,
            left_out: LeftOut::default(),
        })
        .collect()
}

/// Everything on the home screen and on the project page.
async fn compare(site: &Site) -> Today {
    let name = format!("project {} in {}", site.id, site.zone);
    let today = compare_today(site, &name).await;
    for range in Range::ALL {
        compare_period(site, range, &format!("{name}, {}", range.name())).await;
        compare_breakdowns(site, range, &format!("{name}, {}", range.name())).await;
    }
    today
}

async fn compare_today(site: &Site, name: &str) -> Today {
    let today = today_alone::everything(site).await;
    compare_quarters(&today, site, name);
    let expected = &site.reckoning;
    let (now, before) = (expected.of_day(0), expected.yesterday_by_now());
    assert_eq!(
        (today.today.visitors, today.today.pageviews),
        (now.visitors(), now.views()),
        "{name}: today"
    );
    assert_eq!(
        (
            today.yesterday_by_now.visitors,
            today.yesterday_by_now.pageviews
        ),
        (before.visitors(), before.views()),
        "{name}: yesterday by now"
    );
    assert_eq!(
        change_percent(today.today.visitors, today.yesterday_by_now.visitors),
        percent(now.visitors(), before.visitors()),
        "{name}: change"
    );
    assert_eq!(today.online, expected.online(), "{name}: online");
    assert_eq!(today.days.len(), 30, "{name}");
    for (point, ago) in today.days.iter().zip((0..30).rev()) {
        starts_its_day(point, &site.zone());
        let start = local(point.start.as_second(), &site.zone());
        assert_eq!(start.date(), expected.day(ago), "{name}: day {ago}");
        let day = expected.of_day(ago);
        assert_eq!(
            (point.visitors, point.pageviews),
            (day.visitors(), day.views()),
            "{name}: {}",
            start.date()
        );
    }
    same_hours(
        &today.hours,
        &expected.hours_of_day(0),
        site,
        &format!("{name}: hours of today"),
    );
    same_hours(
        &today.hours_yesterday,
        &expected.hours_of_day(1),
        site,
        &format!("{name}: hours of yesterday"),
    );
    today
}

/// What a judgement of the day needs.
fn compare_quarters(today: &Today, site: &Site, name: &str) {
    let expected = site.reckoning.today_by_quarter(&CONVERSIONS);
    assert_eq!(today.began().unwrap().as_second(), expected.start, "{name}");
    let passed = today.quarters.len();
    let until = site.clock().until().timestamp().as_second();
    let begun = usize::try_from((until - expected.start + 899) / 900).unwrap();
    assert_eq!(passed, begun, "{name}: quarters");
    let first_views: Vec<u64> = today
        .quarters
        .iter()
        .map(|quarter| quarter.first_views)
        .collect();
    let views: Vec<u64> = today
        .quarters
        .iter()
        .map(|quarter| quarter.pageviews)
        .collect();
    assert_eq!(
        first_views,
        expected.first_views[..passed],
        "{name}: first views"
    );
    assert_eq!(views, expected.views[..passed], "{name}: views by quarter");
    for (nth, conversions) in expected.conversions.iter().enumerate() {
        let counts = today
            .quarters
            .iter()
            .map(|quarter| quarter.first_conversions[nth]);
        let counts: Vec<u64> = counts.collect();
        assert_eq!(
            counts,
            conversions[..passed],
            "{name}: {}",
            CONVERSIONS[nth]
        );
    }
    assert_eq!(
        today.last_event_at.map(Timestamp::as_second),
        site.reckoning
            .last_event()
            .filter(|at| *at >= expected.start - 86_400),
        "{name}: last event"
    );
}

async fn compare_period(site: &Site, range: Range, name: &str) {
    let clock = site.clock();
    let window = Window::new(range, &clock);
    let conversions = CONVERSIONS.map(ToOwned::to_owned);
    let rows = site.ask(&Period::query(&window, &conversions)).await;
    let period = Period::from_rows(&clock, &window, &conversions, site.now, &rows).unwrap();
    let span = span(range);
    let (now, before) = site.reckoning.totals(span);
    assert_eq!(
        (period.now.visitors, period.now.pageviews),
        (now.visitors(), now.views()),
        "{name}: range"
    );
    assert_eq!(
        (period.before.visitors, period.before.pageviews),
        (before.visitors(), before.views()),
        "{name}: period before"
    );
    assert_eq!(
        (period.sessions, period.sessions_before),
        (now.sessions(), before.sessions()),
        "{name}: sessions"
    );
    for figure in &period.conversions {
        let persons = site.reckoning.conversions(span, &figure.event);
        assert_eq!(
            (figure.persons, figure.persons_before),
            persons,
            "{name}: {}",
            figure.event
        );
        let rate = report::rate_percent(figure.persons, period.now.visitors);
        let expected =
            (now.visitors() > 0).then(|| 100.0 * persons.0 as f64 / now.visitors() as f64);
        let near = match (rate, expected) {
            (Some(rate), Some(expected)) => (rate - expected).abs() < 1e-9,
            (rate, expected) => rate == expected,
        };
        assert!(near, "{name}: rate of {}", figure.event);
    }
    let Span::Days(days) = span else {
        let hours = site.reckoning.last_hours();
        same_hours(
            &period.points_before,
            &hours[..24],
            site,
            &format!("{name}: hours before"),
        );
        same_hours(
            &period.points,
            &hours[24..],
            site,
            &format!("{name}: hours"),
        );
        return;
    };
    let points: Vec<&Point> = period.points_before.iter().chain(&period.points).collect();
    assert_eq!(i64::try_from(points.len()), Ok(2 * days), "{name}");
    for (point, ago) in points.into_iter().zip((0..2 * days).rev()) {
        starts_its_day(point, &site.zone());
        let day = site.reckoning.of_day(ago);
        assert_eq!(
            (point.visitors, point.pageviews),
            (day.visitors(), day.views()),
            "{name}: {ago} days ago"
        );
    }
}

async fn compare_breakdowns(site: &Site, range: Range, name: &str) {
    let rows = site
        .ask(&Breakdowns::query(&Window::new(range, &site.clock())))
        .await;
    let breakdowns = Breakdowns::from_rows(range, site.now, &rows).unwrap();
    for (list, rows) in &breakdowns.lists {
        let mut expected = site
            .reckoning
            .breakdown(span(range), |reckoning, event| match list {
                Breakdown::Pages => event.pathname,
                Breakdown::Referrers => reckoning.entry(event),
                Breakdown::Countries => event.country,
                Breakdown::Devices => Some(event.device),
            });
        if *list == Breakdown::Pages {
            // Views of screens have no page.
            expected.retain(|(label, _)| !label.is_empty());
        }
        expected.truncate(50);
        let shown: Vec<(String, u64)> = rows
            .iter()
            .map(|row| (row.label.clone(), row.visitors))
            .collect();
        assert_eq!(shown, expected, "{name}: {list:?}");
    }
}

fn span(range: Range) -> Span {
    match range {
        Range::Day => Span::Hours,
        Range::Week => Span::Days(7),
        Range::Month => Span::Days(30),
        Range::Quarter => Span::Days(90),
    }
}

fn percent(now: u64, before: u64) -> Option<f64> {
    assert_eq!(
        change_percent(now, 0),
        None,
        "there is nothing to compare with"
    );
    (before > 0).then(|| (now as f64 - before as f64) / before as f64 * 100.0)
}

/// A point of a day begins with it: the second before belongs to another day.
fn starts_its_day(point: &Point, zone: &TimeZone) {
    let start = point.start.as_second();
    assert_ne!(local(start - 1, zone).date(), local(start, zone).date());
}

fn same_hours(points: &[Point], expected: &[(Hour, Tally)], site: &Site, name: &str) {
    let shown: Vec<(Hour, u64, u64)> = points
        .iter()
        .map(|point| {
            (
                hour(&local(point.start.as_second(), &site.zone())),
                point.visitors,
                point.pageviews,
            )
        })
        .collect();
    let expected: Vec<(Hour, u64, u64)> = expected
        .iter()
        .map(|(hour, tally)| (*hour, tally.visitors(), tally.views()))
        .collect();
    assert_eq!(shown, expected, "{name}");
}

/// The sums over the projects of the home screen, on the page, in the terminal and in JSON.
fn compare_total(todays: &[Today], sites: &[Site]) {
    let parts: Vec<Part<'_>> = todays
        .iter()
        .map(|today| Part::today(Some(today), true))
        .collect();
    let sum = Total::of(&parts, sites[0].now);
    compare_curve(&sum, sites);
    let total = report::total(&sum);
    let sum =
        |of: &dyn Fn(&Reckoning) -> u64| sites.iter().map(|site| of(&site.reckoning)).sum::<u64>();
    assert_eq!(total["visitors"], sum(&|site| site.of_day(0).visitors()));
    assert_eq!(total["pageviews"], sum(&|site| site.of_day(0).views()));
    assert_eq!(
        total["visitors_before"],
        sum(&|site| site.yesterday_by_now().visitors())
    );
    assert_eq!(
        total["pageviews_before"],
        sum(&|site| site.yesterday_by_now().views())
    );
    assert_eq!(total["online"], sum(&Reckoning::online));
    assert_eq!(total["projects"], sites.len() as u64);
    assert_eq!(total["projects_in_all"], sites.len() as u64);
}

/// The hours of the total: visitors of each project by the hour of its own clock, on the real time axis.
fn compare_curve(total: &Total, sites: &[Site]) {
    let curve = total.curve.as_ref().unwrap();
    if curve.axis != Axis::LastHours {
        assert!(sites.len() < 3, "the world does not share a day");
        return;
    }
    let mut expected = [0; 48];
    let ends = sites.iter().map(|site| site.reckoning.last_hour());
    let end = ends.min().unwrap() - 1;
    for site in sites {
        for (hour, tally) in site.reckoning.hours_on_the_axis() {
            if let Ok(place) = usize::try_from(hour - end + 47)
                && place < 48
            {
                expected[place] += tally.visitors();
            }
        }
    }
    assert_eq!(curve.now, expected[24..], "the last 24 hours");
    assert_eq!(curve.before, expected[..24], "the 24 hours before");
    assert_eq!(curve.starts.last().unwrap().as_second(), end * 3600);
}

async fn compare_all(instance: &Instance, wanted: impl Fn(&str) -> bool) {
    let sites = sites(instance, wanted);
    assert!(!sites.is_empty());
    let mut todays = Vec::new();
    for site in &sites {
        todays.push(compare(site).await);
    }
    compare_total(&todays, &sites);
    let views: u64 = todays.iter().map(|today| today.today.pageviews).sum();
    assert!(views > 0, "a comparison of nothing shows nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_project_of_the_us_region() {
    let demo = start("2026-11-24T17:43:21Z").await;
    compare_all(demo.us(), |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_project_of_the_eu_region_on_the_day_that_summer_begins() {
    let demo = start("2026-03-29T14:10:05Z").await;
    compare_all(demo.eu(), |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_after_summer_began_in_europe() {
    let demo = start("2026-03-30T09:59:59Z").await;
    compare_all(demo.eu(), |zone| {
        matches!(zone, "Europe/Lisbon" | "Europe/Helsinki")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_that_summer_ends_in_europe() {
    let demo = start("2026-10-25T12:00:00Z").await;
    compare_all(demo.eu(), |zone| {
        matches!(zone, "Europe/Lisbon" | "Europe/Helsinki" | "Asia/Tokyo")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_that_summer_ends_in_new_york() {
    let demo = start("2026-11-01T16:05:30Z").await;
    compare_all(demo.us(), |zone| {
        matches!(
            zone,
            "America/Los_Angeles" | "Asia/Kolkata" | "Australia/Adelaide"
        )
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_after_summer_ended_in_new_york() {
    let demo = start("2026-11-02T20:31:00Z").await;
    compare_all(demo.us(), |zone| {
        matches!(zone, "America/Los_Angeles" | "Pacific/Auckland")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_hour_after_midnight_utc_the_curve_of_the_world_does_not_fall() {
    let demo = start("2026-11-25T00:30:00Z").await;
    let sites = sites(demo.us(), |_| true);
    let mut todays = Vec::new();
    for site in &sites {
        todays.push(compare_today(site, &site.zone).await);
    }
    compare_total(&todays, &sites);
    let parts: Vec<Part<'_>> = todays
        .iter()
        .map(|today| Part::today(Some(today), true))
        .collect();
    let curve = Total::of(&parts, sites[0].now).curve.unwrap();
    assert_eq!(curve.axis, Axis::LastHours);
    // The last hour that is over beside the same one a day earlier: the same projects, the same hour.
    let (now, before) = (curve.now[23] as f64, curve.before[23] as f64);
    assert!(now > 0.6 * before, "{now} beside {before}");
}
