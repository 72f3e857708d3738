//! The closed days that are read once, against a second computation over the same events.

use pockethog_core::history::{Asked, History, MOST_DAYS, Stretch};

use super::{CONVERSIONS, Site, sites, start};
use demo_posthog::Instance;

pub async fn read(site: &Site, days: usize) -> History {
    let clock = site.clock();
    let asked = Asked::new(&site.zone, &CONVERSIONS.map(ToOwned::to_owned));
    let stretch = Stretch::new(&clock, days);
    let rows = site
        .ask(&History::query(&stretch, &asked.conversions))
        .await;
    History::from_rows(&clock, &stretch, asked, site.now, &rows).unwrap()
}

/// The last `days` closed days.
pub fn compare(site: &Site, history: &History, days: usize) {
    assert!(history.time_zone_known);
    assert_eq!(history.days.len(), days);
    let mut views = 0;
    let most = i64::try_from(days).unwrap();
    let expected = site.reckoning.closed_days(most, &CONVERSIONS);
    for ((day, expected), ago) in history.days.iter().zip(expected).zip((1..=days).rev()) {
        let name = format!("project {} in {}, {}", site.id, site.zone, expected.date);
        assert_eq!(day.start.as_second(), expected.start, "{name}");
        assert_eq!(day.date(&site.zone()), expected.date, "{name}");
        assert_eq!(day.first_views, expected.first_views, "{name}: first views");
        assert_eq!(day.pageviews, expected.views, "{name}: views");
        assert_eq!(
            day.first_conversions, expected.conversions,
            "{name}: conversions"
        );
        let whole = site.reckoning.of_day(i64::try_from(ago).unwrap());
        assert_eq!(
            (day.counts().visitors, day.counts().pageviews),
            (whole.visitors(), whole.views()),
            "{name}: the whole day"
        );
        let hours: Vec<(u64, u64)> = day
            .hours
            .iter()
            .map(|hour| (hour.visitors, hour.pageviews))
            .collect();
        assert_eq!(hours, expected.hours, "{name}: hours");
        for (place, (hour, gap)) in day.hours.iter().zip(&expected.gaps).enumerate() {
            // Nothing is known of what was before the first day, but for the last two hours.
            let known = i64::try_from((days - ago) * 23 + place + 2).unwrap() * 3600;
            let found = i64::try_from(hour.longest_gap).unwrap();
            match gap {
                Some(gap) if *gap <= known => assert_eq!(found, *gap, "{name}: gap {place}"),
                _ => assert!(found >= known, "{name}: gap {place}"),
            }
        }
        match &day.minutes {
            Some(minutes) => {
                assert_eq!(ago, 1, "{name}");
                assert_eq!(minutes.first_views, expected.minutes.0, "{name}: minutes");
                assert_eq!(minutes.pageviews, expected.minutes.1, "{name}: minutes");
            }
            None => assert_ne!(ago, 1, "{name}"),
        }
        views += whole.views();
    }
    assert!(
        views > 0 || site.reckoning.of_day(0).views() == 0,
        "project {}",
        site.id
    );
}

async fn compare_all(instance: &Instance, wanted: impl Fn(&str) -> bool) {
    let sites = sites(instance, wanted);
    assert!(!sites.is_empty());
    for site in &sites {
        let history = read(site, MOST_DAYS).await;
        compare(site, &history, MOST_DAYS);
        compare(site, &read(site, 14).await, 14);
        // The newest days once more, in their place.
        let newest = read(site, 2).await;
        let renewed = history.renewed(newest).unwrap();
        assert_eq!(renewed.days, history.days, "project {}", site.id);
        let bytes = history.to_bytes().unwrap();
        assert!(bytes.len() < 64 << 10, "{} bytes", bytes.len());
        assert_eq!(History::from_bytes(&bytes).unwrap(), history);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_every_project_of_the_us_region() {
    let demo = start("2026-11-24T17:43:21Z").await;
    compare_all(demo.us(), |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_the_eu_region_on_the_day_after_summer_began() {
    let demo = start("2026-03-30T14:10:05Z").await;
    compare_all(demo.eu(), |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_the_eu_region_on_the_day_after_summer_ended() {
    let demo = start("2026-10-26T00:20:00Z").await;
    compare_all(demo.eu(), |_| true).await;
}
