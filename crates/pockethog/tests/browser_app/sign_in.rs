//! Signing in: from the button through PostHog's consent page to the projects that were granted, and no others.

use jiff::Timestamp;

use crate::harness::{Allow, Harness};
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
async fn sorted_projects(harness: &Harness) -> Vec<String> {
    let mut names = harness.projects().await;
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn access_to_all_shows_every_project_with_its_right_number() {
    let harness = Harness::start().await;
    harness.browser.shows("Sign in with US Cloud").await;
    let since = harness.us().now();
    harness.sign_in("us", &Allow::default()).await;
    let expected = seen_by(harness.us(), 1);
    harness.complete(expected.len()).await;
    assert_eq!(sorted_projects(&harness).await, expected);
    harness.browser.shows("Connected as Ada Lovelace").await;
    let shown = harness
        .browser
        .run(
            "return [...document.querySelectorAll('#cards > li')].map((card) =>
               [card.querySelector('h3 bdi').textContent, card.querySelector('[data-number]')?.dataset.number ?? null])",
            vec![],
        )
        .await;
    let until = harness.us().now();
    for card in shown.as_array().unwrap() {
        let project = harness
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
        let right = |at: Timestamp| visitors_today(harness.us(), project, at);
        assert!(
            was_right(number, since, until, right),
            "{} shows {number}, and has {}",
            project.name,
            right(until)
        );
    }
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_organization_brings_its_projects_alone() {
    let harness = Harness::start().await;
    let world = harness.us().world();
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
    harness.sign_in("us", &allow).await;
    harness.complete(expected.len()).await;
    assert_eq!(sorted_projects(&harness).await, expected);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_projects_are_all_that_is_shown() {
    let harness = Harness::start().await;
    let projects = harness.quiet();
    let mut expected = vec![projects[0].name.clone(), projects[1].name.clone()];
    expected.sort();
    let allow = Allow {
        projects: vec![projects[0].id, projects[1].id],
        ..Allow::default()
    };
    harness.sign_in("eu", &allow).await;
    harness.complete(2).await;
    assert_eq!(sorted_projects(&harness).await, expected);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_scope_switches_off_writing_annotations_and_nothing_else() {
    let harness = Harness::start().await;
    let project = harness.quiet()[0].clone();
    let allow = Allow {
        projects: vec![project.id],
        narrowed: vec![("annotation", "read")],
        ..Allow::default()
    };
    harness.sign_in("eu", &allow).await;
    harness.complete(1).await;
    harness.browser.click("#cards h3 a").await;
    harness.browser.find("#numbers [data-number]").await;
    harness
        .browser
        .shows("Annotations can be read but not written")
        .await;
    assert!(!harness.browser.has("#add-note").await);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_consent_is_said_and_leaves_the_way_open() {
    let harness = Harness::start().await;
    harness
        .browser
        .click("button[formaction$=\"/sign-in/us\"]")
        .await;
    harness.log_in(1).await;
    harness.browser.click("#deny").await;
    harness.at("/sign-in").await;
    let said = harness.browser.text(".notice").await;
    assert!(said.contains("US Cloud") || said.contains("not"), "{said}");
    let projects = &harness.us().world().projects;
    let allow = Allow {
        projects: vec![projects[0].id],
        ..Allow::default()
    };
    harness.sign_in("us", &allow).await;
    harness.complete(1).await;
    harness.browser.finish_without_errors().await;
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
    let harness = Harness::start().await;
    harness.us().log_in_at(&single_sign_on().await);
    // With scripts and without: the page between the button and PostHog needs none.
    for scripts in [true, false] {
        harness.browser.scripts(scripts).await;
        harness.go("/sign-in").await;
        harness
            .browser
            .click("button[formaction$=\"/sign-in/us\"]")
            .await;
        harness.browser.find("#login-as-1, #authorize").await;
    }
    harness.browser.scripts(true).await;
    harness.consent(&Allow::default()).await;
    harness.at("/").await;
    harness
        .browser
        .shows("Connected to US Cloud as Ada Lovelace")
        .await;
    harness.browser.click("#not-me").await;
    harness.at("/sign-in").await;
    harness.browser.shows("removed from this device").await;
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_regions_stand_side_by_side() {
    let harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.go("/connections").await;
    harness.sign_in("eu", &harness.quiet_only()).await;
    let us = seen_by(harness.us(), 1);
    let eu: Vec<String> = harness
        .quiet()
        .into_iter()
        .map(|project| project.name)
        .collect();
    let mut expected = [us.clone(), eu.clone()].concat();
    expected.sort();
    harness.complete(expected.len()).await;
    assert_eq!(sorted_projects(&harness).await, expected);
    let hosts = harness.browser.texts("#cards .subtitle .badge").await;
    let count = |host: &str| hosts.iter().filter(|badge| *badge == host).count();
    assert_eq!((count("US"), count("EU")), (us.len(), eu.len()));
    harness.browser.shows("and 1 more").await;
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_can_sign_in_at_the_same_time() {
    let harness = Harness::start().await;
    harness
        .browser
        .click("button[formaction$=\"/sign-in/us\"]")
        .await;
    harness.log_in(1).await;
    harness.browser.second_tab(&harness.page("/")).await;
    let one = vec![harness.quiet()[0].id];
    let allow = Allow {
        projects: one,
        ..Allow::default()
    };
    harness.sign_in("eu", &allow).await;
    harness.complete(1).await;
    harness.browser.first_tab().await;
    harness.browser.click("#authorize").await;
    harness.at("/").await;
    harness.complete(1 + seen_by(harness.us(), 1).len()).await;
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_box_asks_for_the_e_mail_address_and_nothing_else_does() {
    let harness = Harness::start().await;
    harness.browser.click("input[name=with_email]").await;
    let allow = Allow {
        projects: vec![harness.us().world().projects[0].id],
        ..Allow::default()
    };
    harness.sign_in("us", &allow).await;
    harness.browser.shows("Connected as ada@example.com").await;
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_goes_by_keyboard() {
    let harness = Harness::start().await;
    let browser = &harness.browser;
    tab_to(
        &harness,
        "document.activeElement?.getAttribute('formaction')?.endsWith('/sign-in/us')",
    )
    .await;
    browser.press("Enter").await;
    browser.find("#login-as-1").await;
    tab_to(&harness, "document.activeElement?.id === 'login-as-1'").await;
    browser.press("Enter").await;
    browser.find("#authorize").await;
    tab_to(&harness, "document.activeElement?.id === 'authorize'").await;
    browser.press("Enter").await;
    harness.at("/").await;
    harness.complete(seen_by(harness.us(), 1).len()).await;
    browser.press("/").await;
    browser
        .until("document.activeElement?.matches('.filter input')")
        .await;
    tab_to(&harness, "document.activeElement?.matches('#cards h3 a')").await;
    browser.press("Enter").await;
    browser.find("#numbers [data-number]").await;
    tab_to(&harness, "document.activeElement?.textContent === '7d'").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('.ranges [aria-current]').textContent === '7d'")
        .await;
    harness.browser.finish_without_errors().await;
}

/// Presses the tab key until a condition holds.
async fn tab_to(harness: &Harness, condition: &str) {
    for _ in 0..80 {
        harness.browser.press("Tab").await;
        let there = harness
            .browser
            .run(&format!("return Boolean({condition})"), vec![])
            .await;
        if there == true {
            return;
        }
    }
    panic!("the tab key does not lead to: {condition}");
}
