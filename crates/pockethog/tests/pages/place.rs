//! The project that these tests use, once its numbers have arrived.

#![allow(clippy::unwrap_used)]

use demo_posthog::{Consent, Project};
use pockethog_core::annotations::Annotations;
use pockethog_core::project::ProjectKey;
use pockethog_core::snapshot::View;

use crate::harness::{Harness, PATIENCE};

/// The first project of US Cloud.
pub fn first(harness: &Harness) -> Project {
    harness.demo.us().world().projects[0].clone()
}

pub fn path(project: &Project) -> String {
    format!("/project/us/{}", project.id)
}

pub fn key(project: &Project) -> ProjectKey {
    ProjectKey {
        host: "us".to_owned(),
        id: project.id,
    }
}

/// Signs in at US Cloud with `consent` and waits until the projects are known.
pub async fn signed_in(consent: &Consent<'_>) -> Harness {
    let harness = Harness::new().await;
    harness.sign_in("us", consent).await;
    known(&harness).await;
    harness
}

/// Waits until the projects are known.
pub async fn known(harness: &Harness) {
    let name = first(harness).name;
    harness.app.home_until(|page| page.contains(&name)).await;
}

/// The project's page as soon as `enough` says so about it.
pub async fn page_until(harness: &Harness, query: &str, enough: impl Fn(&str) -> bool) -> String {
    let path = path(&first(harness));
    let range = query
        .split('&')
        .find(|field| field.starts_with("range="))
        .unwrap_or("range=30d");
    let mut stream = harness.app.stream(&format!("{path}/events?{range}")).await;
    let reading = async {
        loop {
            let page = harness.app.text(&format!("{path}?{query}")).await;
            if enough(&page) {
                return page;
            }
            stream.next().await;
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap()
}

/// Waits until the annotations have been read, and returns them.
pub async fn annotations(harness: &Harness) -> Annotations {
    let key = key(&first(harness));
    let mut stream = harness
        .app
        .stream(&format!("{}/events", path(&first(harness))))
        .await;
    let reading = async {
        loop {
            let known: Option<Annotations> = harness
                .app
                .state
                .live()
                .snapshots()
                .view(&key, View::Annotations)
                .unwrap();
            if let Some(known) = known {
                return known;
            }
            stream.next().await;
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap()
}

/// The form `id` of a page, up to its end.
pub fn form<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page.find(&format!("id=\"{id}\"")).unwrap();
    let rest = &page[start..];
    &rest[..rest.find("</dialog>").unwrap_or(rest.len())]
}

/// The value of a hidden field of a form.
pub fn value<'a>(form: &'a str, name: &str) -> &'a str {
    let start = form
        .find(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("no field {name} in {form}"));
    let rest = &form[start..];
    let rest = &rest[rest.find("value=\"").unwrap() + 7..];
    &rest[..rest.find('"').unwrap()]
}
