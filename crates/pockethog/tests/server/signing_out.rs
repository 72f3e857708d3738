//! When access ends, one sentence says why, and nothing is lost.

#![allow(clippy::unwrap_used)]

use demo_posthog::{ApiKeyOptions, Consent};
use pockethog_core::discovery::discover;
use pockethog_core::live::Change;
use pockethog_core::live::refresh::keep_discovery;
use pockethog_core::project::ProjectKey;

use crate::harness::{Harness, location};

#[tokio::test]
async fn a_revoked_session_leads_to_the_sign_in_screen_and_back_with_everything_kept() {
    let harness = Harness::signed_in().await;
    let name = harness.demo.us().world().projects[0].name.clone();
    harness
        .app
        .home_until(|page| page.contains(&name) && page.contains("data-state=\"live\""))
        .await;
    let key = harness.app.state.live().cache().unwrap().projects[0]
        .key
        .clone();
    harness
        .app
        .state
        .live()
        .prefer(|preferences| preferences.project_mut(&key).favourite = true)
        .unwrap();

    let mut stream = harness.app.stream("/events/home").await;
    harness.demo.us().revoke_all();
    let client = {
        let connection = &harness.app.state.live().connections().unwrap()[0];
        harness.app.state.live().program().client(connection)
    };
    client.projects().await.unwrap_err();
    harness.app.state.live().refresher().hurry();
    stream
        .until(|name, data| name == "status" && data.contains("signed-out"))
        .await;
    let page = harness.app.text("/").await;
    assert!(page.contains("revoked or has expired"), "{page}");
    assert!(page.contains("Sign in with US Cloud"));
    // The last numbers stay in sight, in grey.
    assert!(
        page.contains(&name) && page.contains("card project old"),
        "{page}"
    );

    let end = harness.sign_in("us", &Consent::default()).await;
    assert_eq!(location(&end), "/");
    let page = harness.app.text("/").await;
    assert!(page.contains("visitors today"), "numbers are there at once");
    assert!(page.contains("title=\"Favourite\""), "{page}");
}

#[tokio::test]
async fn an_api_key_takes_over_what_a_revoked_sign_in_has_left() {
    let harness = Harness::signed_in().await;
    let name = harness.demo.us().world().projects[0].name.clone();
    harness
        .app
        .home_until(|page| page.contains(&name) && page.contains("data-state=\"live\""))
        .await;
    harness.demo.us().revoke_all();
    let revoked = harness.app.state.live().connections().unwrap().remove(0);
    let client = harness.app.state.live().program().client(&revoked);
    client.projects().await.unwrap_err();
    let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
    let fields = [("address", harness.demo.us().address()), ("key", &key)];
    assert_eq!(location(&harness.app.post("/api-key", &fields).await), "/");
    let page = harness.app.home_until(|page| page.contains(&name)).await;
    assert!(page.contains("visitors today"), "numbers are kept");
}

#[tokio::test]
async fn a_project_page_leaves_although_its_access_ended_before_its_stream_began() {
    let harness = Harness::signed_in().await;
    let project = harness.demo.us().world().projects[0].clone();
    harness
        .app
        .home_until(|page| page.contains(&project.name))
        .await;
    let path = format!("/project/us/{}", project.id);
    let page = harness.app.text(&path).await;
    harness.demo.us().revoke_all();
    let connection = harness.app.state.live().connections().unwrap().remove(0);
    let client = harness.app.state.live().program().client(&connection);
    client.projects().await.unwrap_err();
    let stream = format!("{path}/events?range=30d&amp;signed_in=1");
    assert!(
        page.contains(&format!("data-stream=\"{stream}\"")),
        "{page}"
    );
    let mut stream = harness.app.stream(&stream.replace("&amp;", "&")).await;
    stream
        .until(|name, data| name == "status" && data.contains("signed-out"))
        .await;
    // Opened afterwards, the page shows what is left, and why it is no more.
    let page = harness.app.text(&path).await;
    assert!(page.contains("US Cloud is signed out."), "{page}");
    assert!(!page.contains("signed_in=1"), "{page}");
}

#[tokio::test]
async fn signing_out_of_one_of_two_leaves_alone_what_the_other_one_shows() {
    let harness = Harness::signed_in().await;
    harness.sign_in("eu", &Consent::default()).await;
    let (us, eu) = (
        harness.demo.us().world().projects[0].clone(),
        harness.demo.eu().world().projects[0].clone(),
    );
    harness
        .app
        .home_until(|page| page.contains(&us.name) && page.contains(&eu.name))
        .await;
    let mut home = harness.app.stream("/events/home").await;
    let mut of_us = harness
        .app
        .stream(&format!("/project/us/{}/events?signed_in=1", us.id))
        .await;
    let mut of_eu = harness
        .app
        .stream(&format!("/project/eu/{}/events?signed_in=1", eu.id))
        .await;
    for stream in [&mut home, &mut of_us, &mut of_eu] {
        stream.until(|name, _| name == "status").await;
    }
    let connections = harness.app.state.live().connections().unwrap();
    let id = &connections
        .iter()
        .find(|connection| connection.host.key() == "us")
        .unwrap()
        .id;
    let answer = harness
        .app
        .post(&format!("/connections/{id}/sign-out"), &[])
        .await;
    assert_eq!(location(&answer), "/connections");

    let led_away = |name: &str, data: &str| name == "status" && data.contains("signed-out");
    of_us.until(led_away).await;
    home.until(|name, data| {
        assert!(!led_away(name, data), "home has projects left to show");
        data.contains("\"id\":\"home\"") && data.contains(&eu.name) && !data.contains(&us.name)
    })
    .await;
    // What the other project's page tells after the sign-out shows that it is still there.
    let key = ProjectKey {
        host: "eu".to_owned(),
        id: eu.id,
    };
    harness
        .app
        .state
        .live()
        .prefer(|preferences| {
            preferences.project_mut(&key).conversions = vec!["chosen_afterwards".to_owned()];
        })
        .unwrap();
    harness.app.state.live().announce(Change::Projects);
    of_eu
        .until(|name, data| {
            assert!(!led_away(name, data), "this project is still readable");
            name == "part" && data.contains("chosen_afterwards")
        })
        .await;
}

#[tokio::test]
async fn one_of_two_that_ends_is_told_once_and_the_other_stays() {
    let harness = Harness::signed_in().await;
    harness.sign_in("eu", &Consent::default()).await;
    let name = harness.demo.eu().world().projects[0].name.clone();
    // With all numbers: those that never came would not turn old.
    let is_complete = |page: &str| page.contains(&name) && !page.contains("class=\"bone\"");
    harness.app.home_until(is_complete).await;
    harness.demo.us().revoke_all();
    let us = harness.app.state.live().connections().unwrap().remove(0);
    let client = harness.app.state.live().program().client(&us);
    client.projects().await.unwrap_err();
    let first = harness.app.text("/").await;
    assert!(
        first.contains("US Cloud: Your access was revoked"),
        "{first}"
    );
    assert!(first.contains("Back to my projects"));
    let second = harness.app.text("/").await;
    assert!(second.contains(&name) && second.contains("Your access was revoked"));
    // Its projects are still there, in grey and with their age.
    let ended = harness.demo.us().world().projects[0].clone();
    assert!(second.contains(&ended.name), "{second}");
    assert!(second.contains("class=\"card project old\""), "{second}");
    assert!(second.contains("Signed out. Numbers from"), "{second}");
    let page = harness.app.text(&format!("/project/us/{}", ended.id)).await;
    assert!(page.contains("US Cloud is signed out."), "{page}");
    // The same whether a query or the list of projects has found it, and nobody else reads them.
    let listed = harness
        .app
        .state
        .live()
        .snapshots()
        .projects_of(&us.id)
        .unwrap();
    assert!(!listed.is_empty());
}

#[tokio::test]
async fn an_end_that_the_list_of_projects_finds_leaves_everything_in_sight() {
    let harness = Harness::signed_in().await;
    harness.sign_in("eu", &Consent::default()).await;
    let (us, eu) = (
        harness.demo.us().world().projects[0].clone(),
        harness.demo.eu().world().projects[0].clone(),
    );
    harness
        .app
        .home_until(|page| page.contains(&us.name) && page.contains(&eu.name))
        .await;
    harness.demo.us().revoke_all();
    let connections = harness.app.state.live().connections().unwrap();
    let ended = connections.iter().find(|known| known.host.key() == "us");
    let ended = ended.unwrap().clone();
    let program = harness.app.state.live().program();
    let found = discover(&program.client(&ended), &ended).await;
    assert!(found.projects.is_empty() && found.failures[0].needs_sign_in);
    keep_discovery(
        program,
        &mut harness.app.state.live().snapshots(),
        &ended.id,
        &found,
    )
    .unwrap();
    harness.app.text("/").await;
    let page = harness.app.text("/").await;
    assert!(page.contains(&us.name) && page.contains(&eu.name), "{page}");
    let project = harness.app.get(&format!("/project/us/{}", us.id)).await;
    assert_eq!(project.status(), 200);
}
