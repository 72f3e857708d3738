//! The way over from an API key: nothing is taken away before its replacement is there.

#![allow(clippy::unwrap_used)]

use demo_posthog::{ApiKeyOptions, Consent, Reach};
use sign_in_with_posthog::{Connection, CredentialKind};

use crate::harness::{Desk, location};
use crate::place::{first, key, known};

const BANNER: &str = "You use an API key for";

/// Signed in at US Cloud with a key.
async fn with_key() -> Desk {
    let desk = Desk::new().await;
    let secret = desk.demo.us().create_api_key(ApiKeyOptions::default());
    let answer = desk
        .app
        .post("/api-key", &[("address", "us"), ("key", &secret)])
        .await;
    assert_eq!(location(&answer), "/");
    known(&desk).await;
    desk
}

fn only(desk: &Desk) -> Connection {
    let connections = desk.app.state.live().connections().unwrap();
    assert_eq!(connections.len(), 1, "{connections:?}");
    connections[0].clone()
}

async fn answer(desk: &Desk, step: &str) -> reqwest::Response {
    let id = desk.app.state.live().connections().unwrap()[0].id.clone();
    desk.app.post(&format!("/banner/{id}/{step}"), &[]).await
}

async fn home(desk: &Desk) -> String {
    desk.app.text("/").await
}

#[tokio::test]
async fn signing_in_takes_the_place_of_the_key_and_everything_stays() {
    let desk = with_key().await;
    let key = key(&first(&desk));
    desk.app
        .home_until(|page| page.contains("visitors today"))
        .await;
    desk.app
        .state
        .live()
        .prefer(|preferences| preferences.project_mut(&key).favourite = true)
        .unwrap();
    let old = only(&desk);
    let numbers = desk.app.state.live().snapshots().all_today().unwrap();
    assert!(home(&desk).await.contains(BANNER));

    let begun = answer(&desk, "sign-in").await;
    let back = desk
        .demo
        .us()
        .consent(&desk.app.leads_to(&begun).await, &Consent::default());
    assert_eq!(location(&desk.app.follow(&back).await), "/");
    let new = only(&desk);
    assert_eq!(new.kind, CredentialKind::OAuth);
    let page = home(&desk).await;
    assert!(page.contains("your API key is no longer used"), "{page}");
    assert!(!page.contains(BANNER), "{page}");
    let snapshots = desk.app.state.live().snapshots();
    assert!(snapshots.projects_of(&old.id).unwrap().is_empty());
    let projects = snapshots.projects_of(&new.id).unwrap();
    assert_eq!(projects.len(), desk.demo.us().world().projects.len());
    let kept = snapshots.all_today().unwrap();
    drop(snapshots);
    assert!(
        numbers
            .iter()
            .all(|(of, _)| kept.iter().any(|(known, _)| known == of))
    );
    assert!(
        desk.app
            .state
            .live()
            .preferences()
            .0
            .project(&key)
            .favourite
    );
}

/// Goes over to signing in, with this consent.
async fn swap(desk: &Desk, consent: &Consent<'_>) {
    let begun = answer(desk, "sign-in").await;
    let address = desk.app.leads_to(&begun).await;
    let back = desk.demo.us().consent(&address, consent);
    assert_eq!(location(&desk.app.follow(&back).await), "/");
}

#[tokio::test]
async fn after_not_me_the_key_that_was_replaced_is_used_again() {
    let desk = with_key().await;
    let key = only(&desk);
    swap(&desk, &Consent::default()).await;
    let new = only(&desk);
    assert_eq!(new.kind, CredentialKind::OAuth);
    let undone = desk
        .app
        .post(&format!("/sign-in/not-me/{}", new.id), &[])
        .await;
    assert_eq!(location(&undone), "/");
    assert_eq!(only(&desk), key);
    assert!(home(&desk).await.contains("Your API key is used again"));
    let expected = desk.demo.us().world().projects.len();
    let is_complete = |_: &str| {
        let snapshots = desk.app.state.live().snapshots();
        snapshots.projects_of(&key.id).unwrap().len() == expected
    };
    desk.app.home_until(is_complete).await;
}

#[tokio::test]
async fn a_key_that_was_deleted_at_posthog_is_not_called_a_matter_of_time() {
    let desk = Desk::new().await;
    let secret = desk.demo.us().create_api_key(ApiKeyOptions::default());
    desk.app
        .post("/api-key", &[("address", "us"), ("key", &secret)])
        .await;
    known(&desk).await;
    desk.demo.us().delete_api_key(&secret);
    swap(&desk, &Consent::default()).await;
    assert_eq!(only(&desk).kind, CredentialKind::OAuth);
    let page = home(&desk).await;
    assert!(
        page.contains("PostHog does not accept your API key any more"),
        "{page}"
    );
    assert!(!page.contains("just now"), "{page}");
}

#[tokio::test]
async fn saying_no_half_way_changes_nothing() {
    let desk = with_key().await;
    let old = only(&desk);
    let begun = answer(&desk, "sign-in").await;
    let consent = Consent {
        deny: true,
        ..Consent::default()
    };
    let back = desk
        .demo
        .us()
        .consent(&desk.app.leads_to(&begun).await, &consent);
    desk.app.follow(&back).await;
    assert_eq!(only(&desk), old);
    assert!(home(&desk).await.contains(BANNER));
}

#[tokio::test]
async fn a_key_that_reaches_more_is_kept_for_the_rest() {
    let desk = with_key().await;
    let old = only(&desk);
    let world = desk.demo.us().world();
    let begun = answer(&desk, "sign-in").await;
    let consent = Consent {
        reach: Reach::Projects(vec![world.projects[0].id]),
        ..Consent::default()
    };
    let back = desk
        .demo
        .us()
        .consent(&desk.app.leads_to(&begun).await, &consent);
    desk.app.follow(&back).await;
    assert_eq!(desk.app.state.live().connections().unwrap().len(), 2);
    let left = {
        let snapshots = desk.app.state.live().snapshots();
        snapshots.projects_of(&old.id).unwrap().len()
    };
    assert_eq!(left, world.projects.len() - 1);
    let page = home(&desk).await;
    assert!(page.contains("The key is kept for"), "{page}");
    assert!(page.contains(&world.projects[0].name), "{page}");
}

#[tokio::test]
async fn a_snoozed_banner_is_gone_for_a_week_and_a_dismissed_one_for_good() {
    let desk = with_key().await;
    let id = only(&desk).id.to_string();
    answer(&desk, "snooze").await;
    assert!(!home(&desk).await.contains(BANNER));
    let banner = desk.app.state.live().preferences().0.banner[&id];
    let days =
        (banner.snoozed_until.unwrap().as_second() - jiff::Timestamp::now().as_second()) / 3600;
    assert!((167..=168).contains(&days), "{days} hours");
    let past = jiff::Timestamp::UNIX_EPOCH;
    desk.app
        .state
        .live()
        .prefer(|preferences| preferences.banner.get_mut(&id).unwrap().snoozed_until = Some(past))
        .unwrap();
    assert!(home(&desk).await.contains(BANNER), "back after the week");
    answer(&desk, "dismiss").await;
    assert!(!home(&desk).await.contains(BANNER));
    assert!(desk.app.state.live().preferences().0.banner[&id].dismissed);
}

#[tokio::test]
async fn somebody_who_signed_in_is_not_asked() {
    let desk = Desk::signed_in().await;
    assert!(!home(&desk).await.contains(BANNER));
    let answer = answer(&desk, "snooze").await;
    assert_eq!(answer.status(), reqwest::StatusCode::NOT_FOUND);
}
