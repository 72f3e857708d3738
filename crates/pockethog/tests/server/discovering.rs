//! From what a key reaches to its projects, at servers old and new.

#![allow(clippy::unwrap_used)]

use demo_posthog::{ApiKeyOptions, Endpoint, Size};
use pockethog_core::discovery::{Discovery, discover};
use secrecy::SecretString;
use sign_in_with_posthog::{Connection, Reach, Region};

use crate::harness::Harness;

async fn add(harness: &Harness, options: ApiKeyOptions) -> Connection {
    let key = harness.demo.us().create_api_key(options);
    let program = harness.app.state.live().program();
    let host = program.clouds.host(Region::Us);
    let key = SecretString::from(key);
    program.sign_in.add_api_key(host, &key).await.unwrap()
}

async fn found(harness: &Harness, connection: &Connection) -> Discovery {
    let program = harness.app.state.live().program();
    discover(&program.client(connection), connection).await
}

fn ids(found: &Discovery) -> Vec<u64> {
    let mut ids: Vec<u64> = found.projects.iter().map(|known| known.key.id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_key_that_was_limited_to_projects_later_is_asked_what_it_reaches() {
    let harness = Harness::new().await;
    let world = harness.demo.us().world().clone();
    let wanted: Vec<u64> = world
        .projects
        .iter()
        .take(2)
        .map(|known| known.id)
        .collect();
    let mut connection = add(
        &harness,
        ApiKeyOptions {
            scoped_teams: wanted.clone(),
            ..ApiKeyOptions::default()
        },
    )
    .await;
    // As it was stored before.
    connection.grant.reach = Reach::All;
    let found = found(&harness, &connection).await;
    assert_eq!(ids(&found), wanted);
    assert!(found.failures.is_empty(), "{:?}", found.failures);
}

#[tokio::test]
async fn the_current_organization_of_the_web_app_does_not_matter() {
    let harness = Harness::new().await;
    let us = harness.demo.us();
    let [first, second] = &us.world().organizations[..] else {
        panic!("two organizations");
    };
    let of_second: Vec<u64> = us
        .world()
        .projects
        .iter()
        .filter(|project| project.organization == second.id)
        .map(|project| project.id)
        .collect();
    us.open_organization(1, &first.id);
    let mut connection = add(
        &harness,
        ApiKeyOptions {
            scoped_organizations: vec![second.id.clone()],
            ..ApiKeyOptions::default()
        },
    )
    .await;
    let by_organization = found(&harness, &connection).await;
    assert_eq!(ids(&by_organization), of_second);
    // Single projects as well, whether their organization was heard of or not.
    connection.grant.reach = Reach::Projects(of_second.clone());
    let one_by_one = found(&harness, &connection).await;
    assert_eq!(ids(&one_by_one), of_second);
    assert!(one_by_one.failures.is_empty(), "{:?}", one_by_one.failures);
}

#[tokio::test]
async fn an_organization_that_was_left_is_named_and_not_just_empty() {
    let harness = Harness::with(Size::Standard).await;
    let us = harness.demo.us();
    let foreign = us
        .world()
        .organizations
        .iter()
        .find(|organization| !organization.members.contains(&2));
    let Some(foreign) = foreign else {
        panic!("person 2 belongs to every organization");
    };
    let connection = add(
        &harness,
        ApiKeyOptions {
            person: 2,
            scoped_organizations: vec![foreign.id.clone()],
            ..ApiKeyOptions::default()
        },
    )
    .await;
    let found = found(&harness, &connection).await;
    assert!(found.projects.is_empty());
    let [failure] = &found.failures[..] else {
        panic!("{:?}", found.failures);
    };
    assert!(failure.reason.contains("no longer a member"), "{failure:?}");
}

#[tokio::test]
async fn an_organization_that_wants_verified_domains_is_named_with_what_to_do() {
    let harness = Harness::new().await;
    let us = harness.demo.us();
    us.require_verified_domain(&us.world().organizations[1].id);
    let connection = add(&harness, ApiKeyOptions::default()).await;
    let found = found(&harness, &connection).await;
    assert!(!found.projects.is_empty(), "the other one is there");
    let [failure] = &found.failures[..] else {
        panic!("{:?}", found.failures);
    };
    assert!(
        failure.reason.contains("verified e-mail domains"),
        "{failure:?}"
    );
    assert!(!failure.transient && !failure.needs_sign_in);
}

#[tokio::test]
async fn an_old_servers_refusal_of_a_key_that_asks_about_itself_ends_nothing() {
    let harness = Harness::new().await;
    let us = harness.demo.us();
    let wanted = us.world().projects[0].id;
    let mut connection = add(
        &harness,
        ApiKeyOptions {
            scoped_teams: vec![wanted],
            ..ApiKeyOptions::default()
        },
    )
    .await;
    connection.grant.reach = Reach::All;
    us.change_behaviour(|behaviour| behaviour.keys_cannot_ask = Some(401));
    let found = found(&harness, &connection).await;
    assert!(found.projects.is_empty());
    assert!(found.failures[0].reason.contains("single projects"));
    assert!(us.counters().count(Endpoint::CurrentApiKey) > 0);
    let known = harness.app.state.live().connections().unwrap();
    assert!(known.iter().all(Connection::is_active), "{known:?}");
}
