//! Projects, and the names that identify them.

#![allow(clippy::unwrap_used)]

use demo_posthog::{Consent, Endpoint, Failure, Fault, Reach, When};

use crate::harness::Harness;
use crate::shape::shape;

#[tokio::test(flavor = "multi_thread")]
async fn every_granted_project_is_listed() {
    let harness = Harness::signed_in().await;
    let run = harness.run(&["projects", "--json"]).await.ended(0);
    let listed = run.json()["projects"].as_array().unwrap().len();
    let world = harness.demo.us().world();
    let expected: usize = world
        .organizations_of(1)
        .map(|organization| {
            let projects = world.projects_of(&organization.id);
            projects.filter(|project| world.sees(1, project)).count()
        })
        .sum();
    assert_eq!(listed, expected);
    insta::assert_snapshot!("projects", shape(&run.json()));
    let table = harness.run(&["projects"]).await.ended(0);
    assert_eq!(table.out.lines().count(), expected + 1);
    assert!(!table.out.contains('\x1b'), "colours in a pipe");
    for line in table.out.lines() {
        assert_eq!(line.split('\t').count(), 5, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_for_one_project_lists_that_one() {
    let harness = Harness::new().await;
    let one = harness.demo.us().world().projects[0].id;
    let consent = Consent {
        reach: Reach::Projects(vec![one]),
        ..Consent::default()
    };
    harness
        .login(harness.demo.us(), "us", &consent)
        .await
        .ended(0);
    let run = harness.run(&["projects", "--json"]).await.ended(0);
    let projects = run.json()["projects"].clone();
    assert_eq!(projects.as_array().unwrap().len(), 1);
    assert_eq!(projects[0]["id"], one);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_that_refuses_is_named_and_the_rest_is_there() {
    let harness = Harness::signed_in().await;
    let organization = harness.demo.us().world().organizations[0].clone();
    harness.demo.us().forbid_organization(&organization.id);
    let run = harness.run(&["projects", "--json"]).await.ended(5);
    let failures = run.json()["failures"].clone();
    let what = failures[0]["what"].as_str().unwrap();
    assert!(what.contains(&organization.name), "{failures}");
    assert!(!run.json()["projects"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_names_nothing_is_wrong_usage() {
    let harness = Harness::signed_in().await;
    let run = harness
        .run(&["events", "no such project", "--json"])
        .await
        .ended(2);
    assert_eq!(run.json()["error"]["kind"], "usage");
    let run = harness.run(&["events", "e"]).await.ended(2);
    assert!(run.err.contains("matches several projects"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_is_no_missing_project() {
    let harness = Harness::signed_in().await;
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::Api,
        times: 100,
        what: Fault::Html502,
        when: When::Before,
    });
    let run = harness.run(&["events", "Acorn"]).await.ended(1);
    assert!(run.err.contains("busy"), "{run:?}");
}
