//! From the button over PostHog's consent page to the projects that were granted, and no others.

use jiff::Timestamp;

use crate::harness::{Allow, Stage};
use crate::independent::{visitors_today, was_right};

/// Names of all projects of a region that a person sees.
fn seen_by(posthog: &demo_posthog::Instance, person: u64) -> Vec<String> {
    let world = posthog.world();
    let mut names: Vec<String> = world
        .projects
        .iter()
        .filter(|project| world.sees(person, project))
        .map(|project| project.name.clone())
        .collect();
    names.sort();
    names
}

/// The cards of the home screen, by name.
async fn sorted_projects(stage: &Stage) -> Vec<String> {
    let mut names = stage.projects().await;
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn access_to_all_shows_every_project_with_its_right_number() {
    let stage = Stage::set().await;
    stage.browser.shows("Sign in with US Cloud").await;
    let since = stage.us().now();
    stage.sign_in("us", &Allow::default()).await;
    let expected = seen_by(stage.us(), 1);
    stage.complete(expected.len()).await;
    assert_eq!(sorted_projects(&stage).await, expected);
    stage.browser.shows("Connected as Ada Lovelace").await;
    let shown = stage
        .browser
        .run(
            "return [...document.querySelectorAll('#cards > li')].map((card) =>
               [card.querySelector('h3 bdi').textContent, card.querySelector('[data-number]')?.dataset.number ?? null])",
            vec![],
        )
        .await;
    let until = stage.us().now();
    for card in shown.as_array().unwrap() {
        let project = stage
            .us()
            .world()
            .projects
            .iter()
            .find(|project| card[0] == project.name.as_str())
            .unwrap();
        let Some(number) = card[1].as_str() else {
            assert_eq!(project.visitors, 0, "{} has no number", project.name);
            continue;
        };
        let number: u64 = number.parse().unwrap();
        let right = |at: Timestamp| visitors_today(stage.us(), project, at);
        assert!(
            was_right(number, since, until, right),
            "{} shows {number}, and has {}",
            project.name,
            right(until)
        );
    }
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_organization_brings_its_projects_alone() {
    let stage = Stage::set().await;
    let world = stage.us().world();
    let organization = world.organizations[0].id.clone();
    let mut expected: Vec<String> = world
        .projects_of(&organization)
        .map(|project| project.name.clone())
        .collect();
    expected.sort();
    let allow = Allow {
        organization: Some(organization),
        ..Allow::default()
    };
    stage.sign_in("us", &allow).await;
    stage.complete(expected.len()).await;
    assert_eq!(sorted_projects(&stage).await, expected);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_projects_are_all_that_is_shown() {
    let stage = Stage::set().await;
    let projects = stage.quiet();
    let mut expected = vec![projects[0].name.clone(), projects[1].name.clone()];
    expected.sort();
    let allow = Allow {
        projects: vec![projects[0].id, projects[1].id],
        ..Allow::default()
    };
    stage.sign_in("eu", &allow).await;
    stage.complete(2).await;
    assert_eq!(sorted_projects(&stage).await, expected);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_scope_switches_off_writing_notes_and_nothing_else() {
    let stage = Stage::set().await;
    let project = stage.quiet()[0].clone();
    let allow = Allow {
        projects: vec![project.id],
        narrowed: vec![("annotation", "read")],
        ..Allow::default()
    };
    stage.sign_in("eu", &allow).await;
    stage.complete(1).await;
    stage.browser.click("#cards h3 a").await;
    stage.browser.find("#numbers [data-number]").await;
    stage
        .browser
        .shows("Notes can be read but not written")
        .await;
    assert!(!stage.browser.has("#add-note").await);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_consent_is_said_and_leaves_the_way_open() {
    let stage = Stage::set().await;
    stage
        .browser
        .click("button[formaction$=\"/sign-in/us\"]")
        .await;
    stage.log_in(1).await;
    stage.browser.click("#deny").await;
    stage.at("/sign-in").await;
    let said = stage.browser.text(".notice").await;
    assert!(said.contains("US Cloud") || said.contains("not"), "{said}");
    let projects = &stage.us().world().projects;
    let allow = Allow {
        projects: vec![projects[0].id],
        ..Allow::default()
    };
    stage.sign_in("us", &allow).await;
    stage.complete(1).await;
    stage.browser.finish_without_errors().await;
}

/// Sends every browser back to `next`, as single sign-on does with people it knows. Returns its address.
async fn single_sign_on() -> String {
    use axum::extract::Query;
    use axum::response::Redirect;
    type Fields = std::collections::HashMap<String, String>;
    let back = |Query(fields): Query<Fields>| async move { Redirect::to(&fields["next"]) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let routes = axum::Router::new().route("/", axum::routing::get(back));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posthog_whose_people_log_in_at_a_third_address_is_reached_by_the_button() {
    let stage = Stage::set().await;
    stage.us().log_in_at(&single_sign_on().await);
    // With scripts and without: the page between the button and PostHog needs none.
    for scripts in [true, false] {
        stage.browser.scripts(scripts).await;
        stage.go("/sign-in").await;
        stage
            .browser
            .click("button[formaction$=\"/sign-in/us\"]")
            .await;
        stage.browser.find("#login-as-1, #authorize").await;
    }
    stage.browser.scripts(true).await;
    stage.consent(&Allow::default()).await;
    stage.at("/").await;
    stage
        .browser
        .shows("Connected to US Cloud as Ada Lovelace")
        .await;
    stage.browser.click("#not-me").await;
    stage.at("/sign-in").await;
    stage.browser.shows("removed from this device").await;
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_regions_stand_side_by_side() {
    let stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    stage.go("/connections").await;
    stage.sign_in("eu", &stage.quiet_only()).await;
    let us = seen_by(stage.us(), 1);
    let eu: Vec<String> = stage
        .quiet()
        .into_iter()
        .map(|project| project.name)
        .collect();
    let mut expected = [us.clone(), eu.clone()].concat();
    expected.sort();
    stage.complete(expected.len()).await;
    assert_eq!(sorted_projects(&stage).await, expected);
    let hosts = stage.browser.texts("#cards .subtitle .badge").await;
    let count = |host: &str| hosts.iter().filter(|badge| *badge == host).count();
    assert_eq!((count("US"), count("EU")), (us.len(), eu.len()));
    stage.browser.shows("and 1 more").await;
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_can_sign_in_at_the_same_time() {
    let stage = Stage::set().await;
    stage
        .browser
        .click("button[formaction$=\"/sign-in/us\"]")
        .await;
    stage.log_in(1).await;
    stage.browser.second_tab(&stage.page("/")).await;
    let one = vec![stage.quiet()[0].id];
    let allow = Allow {
        projects: one,
        ..Allow::default()
    };
    stage.sign_in("eu", &allow).await;
    stage.complete(1).await;
    stage.browser.first_tab().await;
    stage.browser.click("#authorize").await;
    stage.at("/").await;
    stage.complete(1 + seen_by(stage.us(), 1).len()).await;
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_box_asks_for_the_e_mail_address_and_nothing_else_does() {
    let stage = Stage::set().await;
    stage.browser.click("input[name=with_email]").await;
    let allow = Allow {
        projects: vec![stage.us().world().projects[0].id],
        ..Allow::default()
    };
    stage.sign_in("us", &allow).await;
    stage.browser.shows("Connected as ada@example.com").await;
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_goes_by_keyboard() {
    let stage = Stage::set().await;
    let browser = &stage.browser;
    tab_to(
        &stage,
        "document.activeElement?.getAttribute('formaction')?.endsWith('/sign-in/us')",
    )
    .await;
    browser.press("Enter").await;
    browser.find("#login-as-1").await;
    tab_to(&stage, "document.activeElement?.id === 'login-as-1'").await;
    browser.press("Enter").await;
    browser.find("#authorize").await;
    tab_to(&stage, "document.activeElement?.id === 'authorize'").await;
    browser.press("Enter").await;
    stage.at("/").await;
    stage.complete(seen_by(stage.us(), 1).len()).await;
    browser.press("/").await;
    browser
        .until("document.activeElement?.matches('.filter input')")
        .await;
    tab_to(&stage, "document.activeElement?.matches('#cards h3 a')").await;
    browser.press("Enter").await;
    browser.find("#numbers [data-number]").await;
    tab_to(&stage, "document.activeElement?.textContent === '7d'").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('.ranges [aria-current]').textContent === '7d'")
        .await;
    stage.browser.finish_without_errors().await;
}

/// Presses the tab key until a condition holds.
async fn tab_to(stage: &Stage, condition: &str) {
    for _ in 0..80 {
        stage.browser.press("Tab").await;
        let there = stage
            .browser
            .run(&format!("return Boolean({condition})"), vec![])
            .await;
        if there == true {
            return;
        }
    }
    panic!("the tab key does not lead to: {condition}");
}
