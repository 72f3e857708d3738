//! When access ends while somebody looks, and what comes back with it.

use crate::harness::{Allow, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_leads_to_the_sign_in_screen_and_signing_in_again_brings_all_back() {
    let stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    let all = stage.us().world().projects.len();
    stage.complete(all).await;
    // Something to find again: a favourite with a name of its own.
    let path = stage
        .browser
        .run(
            "return document.querySelector('#cards li:nth-child(3) h3 a').getAttribute('href')",
            vec![],
        )
        .await;
    stage.go(path.as_str().unwrap()).await;
    stage.browser.click("#preferences summary").await;
    stage
        .browser
        .click("#preferences input[name=favourite]")
        .await;
    stage.browser.find(".title .fav").await;
    stage
        .browser
        .fill("#preferences input[name=name]", "My own name")
        .await;
    stage.browser.press("Enter").await;
    stage
        .browser
        .until("document.querySelector('.title h1').textContent.includes('My own name')")
        .await;
    stage.go("/").await;
    stage.complete(all).await;
    assert_eq!(stage.projects().await[0], "My own name");

    let connected_apps = format!("{}/settings/connected-apps", stage.us().address());
    stage.browser.second_tab(&connected_apps).await;
    stage.browser.click("[id^=revoke-]").await;
    stage.browser.gone("[id^=revoke-]").await;
    stage.browser.first_tab().await;
    // The open page finds out by itself or by a reload, and both lead to the same screen.
    stage.browser.reload().await;
    stage
        .browser
        .find("button[formaction$=\"/sign-in/us\"]")
        .await;
    let said = stage.browser.text(".notice").await;
    assert!(said.contains("kept"), "{said}");

    stage.sign_in("us", &Allow::default()).await;
    stage.complete(all).await;
    assert_eq!(stage.projects().await[0], "My own name");
    stage.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_pages_leave_by_themselves_once_the_access_was_revoked() {
    let stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    stage.complete(stage.us().world().projects.len()).await;
    let project = stage.us().world().projects[0].id;
    let connected_apps = format!("{}/settings/connected-apps", stage.us().address());
    stage.browser.second_tab(&connected_apps).await;
    stage.browser.click("[id^=revoke-]").await;
    stage.browser.gone("[id^=revoke-]").await;
    // A page whose numbers have to be asked for finds out, and says so where it leads to.
    stage.go(&format!("/project/us/{project}?range=90d")).await;
    let reason = "US Cloud: Your access was revoked or has expired. Sign in again to go on. Your projects, favourites and colours are kept.";
    stage.at("/").await;
    stage.browser.shows(reason).await;
    // Nobody has touched the other tab.
    stage.browser.first_tab().await;
    stage
        .browser
        .find("button[formaction$=\"/sign-in/us\"]")
        .await;
    stage.browser.shows(reason).await;
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_that_refuses_is_named_and_the_rest_is_there() {
    let stage = Stage::set().await;
    let world = stage.us().world();
    let refusing = &world.organizations[1];
    stage.us().forbid_organization(&refusing.id);
    stage.sign_in("us", &Allow::default()).await;
    let rest = world.projects.len() - world.projects_of(&refusing.id).count();
    stage.complete(rest).await;
    stage.browser.shows(&refusing.name).await;
    let said = stage.browser.text(".notice.warn").await;
    assert!(said.contains(&refusing.name), "{said}");
    stage.browser.finish_without_errors().await;
}
