//! Access ends while a page is open, and what is restored when it comes back.

use crate::harness::{Allow, Harness};

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_leads_to_the_sign_in_screen_and_signing_in_again_brings_all_back() {
    let harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    let all = harness.us().world().projects.len();
    harness.complete(all).await;
    // Something to find again: a favourite with a name of its own.
    let path = harness
        .browser
        .run(
            "return document.querySelector('#cards li:nth-child(3) h3 a').getAttribute('href')",
            vec![],
        )
        .await;
    harness.go(path.as_str().unwrap()).await;
    harness.browser.click("#preferences summary").await;
    harness
        .browser
        .click("#preferences input[name=favourite]")
        .await;
    harness.browser.find(".title .fav").await;
    harness
        .browser
        .fill("#preferences input[name=name]", "My own name")
        .await;
    harness.browser.press("Enter").await;
    harness
        .browser
        .until("document.querySelector('.title h1').textContent.includes('My own name')")
        .await;
    harness.go("/").await;
    harness.complete(all).await;
    assert_eq!(harness.projects().await[0], "My own name");

    let connected_apps = format!("{}/settings/connected-apps", harness.us().address());
    harness.browser.second_tab(&connected_apps).await;
    harness.browser.click("[id^=revoke-]").await;
    harness.browser.gone("[id^=revoke-]").await;
    harness.browser.first_tab().await;
    // The open page finds out by itself or by a reload, and both lead to the same screen.
    harness.browser.reload().await;
    harness
        .browser
        .find("button[formaction$=\"/sign-in/us\"]")
        .await;
    let said = harness.browser.text(".notice").await;
    assert!(said.contains("kept"), "{said}");

    harness.sign_in("us", &Allow::default()).await;
    harness.complete(all).await;
    assert_eq!(harness.projects().await[0], "My own name");
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_pages_leave_by_themselves_once_the_access_was_revoked() {
    let harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.complete(harness.us().world().projects.len()).await;
    let project = harness.us().world().projects[0].id;
    let connected_apps = format!("{}/settings/connected-apps", harness.us().address());
    harness.browser.second_tab(&connected_apps).await;
    harness.browser.click("[id^=revoke-]").await;
    harness.browser.gone("[id^=revoke-]").await;
    // A page whose numbers have to be asked for finds out, and says so where it leads to.
    harness
        .go(&format!("/project/us/{project}?range=90d"))
        .await;
    let reason = "US Cloud: Your access was revoked or has expired. Sign in again to continue. Your projects, favourites and colours are kept.";
    harness.at("/").await;
    harness.browser.shows(reason).await;
    // Nobody has touched the other tab.
    harness.browser.first_tab().await;
    harness
        .browser
        .find("button[formaction$=\"/sign-in/us\"]")
        .await;
    harness.browser.shows(reason).await;
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_that_refuses_is_named_and_the_rest_is_there() {
    let harness = Harness::start().await;
    let world = harness.us().world();
    let refusing = &world.organizations[1];
    harness.us().forbid_organization(&refusing.id);
    harness.sign_in("us", &Allow::default()).await;
    let rest = world.projects.len() - world.projects_of(&refusing.id).count();
    harness.complete(rest).await;
    harness.browser.shows(&refusing.name).await;
    let said = harness.browser.text(".notice.warn").await;
    assert!(said.contains(&refusing.name), "{said}");
    harness.browser.finish_without_errors().await;
}
