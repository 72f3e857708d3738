//! Migrating from an API key: nothing is removed before its replacement works.

#![allow(clippy::unwrap_used)]

use demo_posthog::{ApiKeyOptions, Consent, Reach};
use sign_in_with_posthog::{Connection, CredentialKind};

use crate::harness::{Harness, location};
use crate::place::{first, key, known};

const BANNER: &str = "You use an API key for";

/// Signed in at US Cloud with a key.
async fn with_key() -> Harness {
    let harness = Harness::new().await;
    let secret = harness.demo.us().create_api_key(ApiKeyOptions::default());
    let answer = harness
        .app
        .post("/api-key", &[("address", "us"), ("key", &secret)])
        .await;
    assert_eq!(location(&answer), "/");
    known(&harness).await;
    harness
}

fn only(harness: &Harness) -> Connection {
    let connections = harness.app.state.live().connections().unwrap();
    assert_eq!(connections.len(), 1, "{connections:?}");
    connections[0].clone()
}

async fn answer(harness: &Harness, step: &str) -> reqwest::Response {
    let id = harness.app.state.live().connections().unwrap()[0]
        .id
        .clone();
    harness.app.post(&format!("/banner/{id}/{step}"), &[]).await
}

async fn home(harness: &Harness) -> String {
    harness.app.text("/").await
}

#[tokio::test]
async fn signing_in_takes_the_place_of_the_key_and_everything_stays() {
    let harness = with_key().await;
    let key = key(&first(&harness));
    harness
        .app
        .home_until(|page| page.contains("visitors today"))
        .await;
    harness
        .app
        .state
        .live()
        .prefer(|preferences| preferences.project_mut(&key).favourite = true)
        .unwrap();
    let old = only(&harness);
    let numbers = harness.app.state.live().snapshots().all_today().unwrap();
    assert!(home(&harness).await.contains(BANNER));

    let begun = answer(&harness, "sign-in").await;
    let back = harness
        .demo
        .us()
        .consent(&harness.app.leads_to(&begun).await, &Consent::default());
    assert_eq!(location(&harness.app.follow(&back).await), "/");
    let new = only(&harness);
    assert_eq!(new.kind, CredentialKind::OAuth);
    let page = home(&harness).await;
    assert!(page.contains("your API key is no longer used"), "{page}");
    assert!(!page.contains(BANNER), "{page}");
    let snapshots = harness.app.state.live().snapshots();
    assert!(snapshots.projects_of(&old.id).unwrap().is_empty());
    let projects = snapshots.projects_of(&new.id).unwrap();
    assert_eq!(projects.len(), harness.demo.us().world().projects.len());
    let kept = snapshots.all_today().unwrap();
    drop(snapshots);
    assert!(
        numbers
            .iter()
            .all(|(of, _)| kept.iter().any(|(known, _)| known == of))
    );
    assert!(
        harness
            .app
            .state
            .live()
            .preferences()
            .0
            .project(&key)
            .favourite
    );
}

/// Goes over to signing in, with this consent.
async fn swap(harness: &Harness, consent: &Consent<'_>) {
    let begun = answer(harness, "sign-in").await;
    let address = harness.app.leads_to(&begun).await;
    let back = harness.demo.us().consent(&address, consent);
    assert_eq!(location(&harness.app.follow(&back).await), "/");
}

#[tokio::test]
async fn after_not_me_the_key_that_was_replaced_is_used_again() {
    let harness = with_key().await;
    let key = only(&harness);
    swap(&harness, &Consent::default()).await;
    let new = only(&harness);
    assert_eq!(new.kind, CredentialKind::OAuth);
    let undone = harness
        .app
        .post(&format!("/sign-in/not-me/{}", new.id), &[])
        .await;
    assert_eq!(location(&undone), "/");
    assert_eq!(only(&harness), key);
    assert!(home(&harness).await.contains("Your API key is used again"));
    let expected = harness.demo.us().world().projects.len();
    let is_complete = |_: &str| {
        let snapshots = harness.app.state.live().snapshots();
        snapshots.projects_of(&key.id).unwrap().len() == expected
    };
    harness.app.home_until(is_complete).await;
}

#[tokio::test]
async fn a_key_that_was_deleted_at_posthog_is_not_called_a_matter_of_time() {
    let harness = Harness::new().await;
    let secret = harness.demo.us().create_api_key(ApiKeyOptions::default());
    harness
        .app
        .post("/api-key", &[("address", "us"), ("key", &secret)])
        .await;
    known(&harness).await;
    harness.demo.us().delete_api_key(&secret);
    swap(&harness, &Consent::default()).await;
    assert_eq!(only(&harness).kind, CredentialKind::OAuth);
    let page = home(&harness).await;
    assert!(
        page.contains("PostHog no longer accepts your API key"),
        "{page}"
    );
    assert!(!page.contains("just now"), "{page}");
}

#[tokio::test]
async fn saying_no_half_way_changes_nothing() {
    let harness = with_key().await;
    let old = only(&harness);
    let begun = answer(&harness, "sign-in").await;
    let consent = Consent {
        deny: true,
        ..Consent::default()
    };
    let back = harness
        .demo
        .us()
        .consent(&harness.app.leads_to(&begun).await, &consent);
    harness.app.follow(&back).await;
    assert_eq!(only(&harness), old);
    assert!(home(&harness).await.contains(BANNER));
}

#[tokio::test]
async fn a_key_that_reaches_more_is_kept_for_the_rest() {
    let harness = with_key().await;
    let old = only(&harness);
    let world = harness.demo.us().world();
    let begun = answer(&harness, "sign-in").await;
    let consent = Consent {
        reach: Reach::Projects(vec![world.projects[0].id]),
        ..Consent::default()
    };
    let back = harness
        .demo
        .us()
        .consent(&harness.app.leads_to(&begun).await, &consent);
    harness.app.follow(&back).await;
    assert_eq!(harness.app.state.live().connections().unwrap().len(), 2);
    let left = {
        let snapshots = harness.app.state.live().snapshots();
        snapshots.projects_of(&old.id).unwrap().len()
    };
    assert_eq!(left, world.projects.len() - 1);
    let page = home(&harness).await;
    assert!(page.contains("The key is kept for"), "{page}");
    assert!(page.contains(&world.projects[0].name), "{page}");
}

#[tokio::test]
async fn a_snoozed_banner_is_gone_for_a_week_and_a_dismissed_one_for_good() {
    let harness = with_key().await;
    let id = only(&harness).id.to_string();
    answer(&harness, "snooze").await;
    assert!(!home(&harness).await.contains(BANNER));
    let banner = harness.app.state.live().preferences().0.banner[&id];
    let days =
        (banner.snoozed_until.unwrap().as_second() - jiff::Timestamp::now().as_second()) / 3600;
    assert!((167..=168).contains(&days), "{days} hours");
    let past = jiff::Timestamp::UNIX_EPOCH;
    harness
        .app
        .state
        .live()
        .prefer(|preferences| preferences.banner.get_mut(&id).unwrap().snoozed_until = Some(past))
        .unwrap();
    assert!(home(&harness).await.contains(BANNER), "back after the week");
    answer(&harness, "dismiss").await;
    assert!(!home(&harness).await.contains(BANNER));
    assert!(harness.app.state.live().preferences().0.banner[&id].dismissed);
}

#[tokio::test]
async fn somebody_who_signed_in_is_not_asked() {
    let harness = Harness::signed_in().await;
    assert!(!home(&harness).await.contains(BANNER));
    let answer = answer(&harness, "snooze").await;
    assert_eq!(answer.status(), reqwest::StatusCode::NOT_FOUND);
}
