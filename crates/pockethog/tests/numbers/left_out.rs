//! Every number without internal and test users and without bots, against the events that remain.

use demo_posthog::{Event, Instance};
use pockethog_core::history::MOST_DAYS;
use pockethog_core::overview::LeftOut;

use super::reckoning::Reckoning;
use super::{compare, history, sites, start};

/// How the crawlers of the demo sign. PostHog takes what has no user agent for a bot, too.
const CRAWLERS: [&str; 3] = ["Googlebot/", "GPTBot/", "HeadlessChrome/"];

fn is_bot(event: &Event) -> bool {
    event
        .user_agent
        .is_none_or(|agent| CRAWLERS.iter().any(|sign| agent.contains(sign)))
}

async fn compare_all(instance: &Instance, left_out: LeftOut, wanted: impl Fn(&str) -> bool) {
    let mut left = 0;
    for mut site in sites(instance, wanted) {
        let all = instance.events(site.id).unwrap();
        let is_left_out = |event: &Event| {
            (left_out.test_accounts && event.internal) || (left_out.bots && is_bot(event))
        };
        let counted: Vec<Event> = all
            .iter()
            .filter(|event| !is_left_out(event))
            .copied()
            .collect();
        left += all.len() - counted.len();
        site.reckoning = Reckoning::new(&counted, &site.zone, site.now);
        site.left_out = left_out;
        compare(&site).await;
        let days = history::read(&site, MOST_DAYS).await;
        history::compare(&site, &days, MOST_DAYS);
    }
    assert!(left > 0, "the demo has something to leave out");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_without_test_accounts_are_those_of_everybody_else() {
    let demo = start("2026-11-24T17:43:21Z").await;
    let left_out = LeftOut {
        test_accounts: true,
        bots: false,
    };
    compare_all(demo.us(), left_out, |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_without_bots_and_test_accounts_are_those_of_people_outside() {
    let demo = start("2026-11-24T17:43:21Z").await;
    let left_out = LeftOut {
        test_accounts: true,
        bots: true,
    };
    compare_all(demo.us(), left_out, |_| true).await;
}
