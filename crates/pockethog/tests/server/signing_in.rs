//! Signing in, from the button to the home page.

#![allow(clippy::unwrap_used)]

use demo_posthog::{ApiKeyOptions, Consent, Endpoint, Reach};
use reqwest::StatusCode;

use crate::harness::{Harness, location};

/// The names of projects on the home page.
fn shows(page: &str, name: &str) -> bool {
    let escaped = name
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    page.contains(&format!("<bdi>{escaped}</bdi>"))
}

/// Waits until exactly these projects are on the home page.
async fn shows_exactly(harness: &Harness, wanted: &dyn Fn(u64, &str) -> bool) {
    let projects = &harness.demo.us().world().projects;
    let as_wanted = |page: &str| {
        projects
            .iter()
            .all(|project| shows(page, &project.name) == wanted(project.id, &project.organization))
    };
    harness.app.home_until(as_wanted).await;
}

#[tokio::test]
async fn each_button_names_the_address_that_will_be_asked() {
    let harness = Harness::new().await;
    let page = harness.app.text("/").await;
    for (name, posthog) in [
        ("US Cloud", harness.demo.us()),
        ("EU Cloud", harness.demo.eu()),
    ] {
        let address = posthog.address().trim_start_matches("http://");
        assert!(
            page.contains(&format!(
                "<b>Sign in with {name}</b><small>{address}</small>"
            )),
            "{page}"
        );
    }
    let form = harness.app.text("/api-key").await;
    assert!(form.contains(&format!("value=\"{}\"", harness.demo.us().address())));
    assert!(!page.contains("posthog.com") && !form.contains("posthog.com"));
}

#[tokio::test]
async fn all_projects_come_with_access_to_all() {
    let harness = Harness::signed_in().await;
    shows_exactly(&harness, &|_, _| true).await;
    assert!(
        harness
            .app
            .text("/")
            .await
            .contains("Connected as Ada Lovelace")
    );
}

#[tokio::test]
async fn only_the_projects_of_the_chosen_organization_come() {
    let harness = Harness::new().await;
    let organization = harness.demo.us().world().organizations[0].id.clone();
    let consent = Consent {
        reach: Reach::Organizations(vec![organization.clone()]),
        ..Consent::default()
    };
    assert_eq!(location(&harness.sign_in("us", &consent).await), "/");
    shows_exactly(&harness, &|_, of| of == organization).await;
}

#[tokio::test]
async fn only_the_chosen_projects_come() {
    let harness = Harness::new().await;
    let projects = &harness.demo.us().world().projects;
    let chosen = vec![projects[0].id, projects[2].id];
    let consent = Consent {
        reach: Reach::Projects(chosen.clone()),
        ..Consent::default()
    };
    assert_eq!(location(&harness.sign_in("us", &consent).await), "/");
    shows_exactly(&harness, &|id, _| chosen.contains(&id)).await;
}

#[tokio::test]
async fn the_redirect_does_not_wait_for_projects() {
    let harness = Harness::new().await;
    let end = harness.sign_in("us", &Consent::default()).await;
    assert_eq!(end.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        harness.demo.us().counters().count(Endpoint::Organizations),
        0
    );
}

#[tokio::test]
async fn without_query_read_the_projects_are_listed_and_a_sentence_says_why_no_numbers() {
    let harness = Harness::new().await;
    let consent = Consent {
        scopes: Some("organization:read project:read event_definition:read annotation:read"),
        ..Consent::default()
    };
    harness.sign_in("us", &consent).await;
    shows_exactly(&harness, &|_, _| true).await;
    let page = harness.app.text("/").await;
    assert!(page.contains("query:read was not granted"), "{page}");
    assert_eq!(harness.demo.us().counters().count(Endpoint::Query), 0);
}

#[tokio::test]
async fn a_denied_consent_ends_on_the_sign_in_screen_with_one_sentence() {
    let harness = Harness::new().await;
    let consent = Consent {
        deny: true,
        ..Consent::default()
    };
    let end = harness.sign_in("us", &consent).await;
    assert_eq!(location(&end), "/sign-in");
    let page = harness.app.text("/sign-in").await;
    assert!(page.contains("Access was denied"), "{page}");
    let again = harness.app.text("/sign-in").await;
    assert!(!again.contains("Access was denied"), "it is said once");
}

#[tokio::test]
async fn r2_a_wrong_state_changes_nothing_and_the_right_one_still_ends_well() {
    let harness = Harness::new().await;
    let begun = harness.app.post("/sign-in/us", &[]).await;
    let back = harness
        .demo
        .us()
        .consent(&harness.app.leads_to(&begun).await, &Consent::default());
    for forged in [
        "/callback?code=stolen&state=forged",
        "/callback?code=stolen",
        "/callback?error=access_denied&state=forged",
        "/callback?code=a&code=b&state=c",
        "/callback?code=a&error=b&state=c",
        "/callback",
    ] {
        let answer = harness.app.get(forged).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{forged}");
        let text = answer.text().await.unwrap();
        assert!(!text.contains("stolen") && !text.contains("forged"));
    }
    assert_eq!(harness.demo.us().counters().count(Endpoint::Token), 0);
    assert_eq!(location(&harness.app.follow(&back).await), "/");
    let again = harness.app.follow(&back).await;
    assert_eq!(again.status(), StatusCode::BAD_REQUEST, "rule R6");
}

#[tokio::test]
async fn both_regions_wait_at_once_and_end_in_any_order() {
    let harness = Harness::new().await;
    let us = harness.app.post("/sign-in/us", &[]).await;
    let us = harness.app.leads_to(&us).await;
    let eu = harness.app.post("/sign-in/eu", &[]).await;
    let eu = harness.app.leads_to(&eu).await;
    let back_eu = harness.demo.eu().consent(&eu, &Consent::default());
    let back_us = harness.demo.us().consent(&us, &Consent::default());
    assert_eq!(location(&harness.app.follow(&back_eu).await), "/");
    assert_eq!(location(&harness.app.follow(&back_us).await), "/");
    let of = |world: &demo_posthog::World| world.projects[0].name.clone();
    let (in_us, in_eu) = (of(harness.demo.us().world()), of(harness.demo.eu().world()));
    harness
        .app
        .home_until(|page| shows(page, &in_us) && shows(page, &in_eu))
        .await;
}

#[tokio::test]
async fn the_e_mail_address_is_shown_where_it_was_asked_for() {
    let harness = Harness::new().await;
    let begun = harness
        .app
        .post("/sign-in/us", &[("with_email", "1")])
        .await;
    let address = harness.app.leads_to(&begun).await;
    assert!(address.contains("email"), "{address}");
    let back = harness.demo.us().consent(&address, &Consent::default());
    harness.app.follow(&back).await;
    let email = &harness.demo.us().world().people[0].email;
    let page = harness.app.text("/").await;
    assert!(page.contains(&format!("Connected as {email}")), "{page}");
}

#[tokio::test]
async fn an_unreachable_posthog_is_told_on_the_sign_in_screen() {
    let harness = Harness::new().await;
    let closed = format!("http://{}", test_support::unused_address());
    let home = tempfile::tempdir().unwrap();
    let app = crate::harness::App::start(home.path(), &closed, harness.demo.eu().address()).await;
    let begun = app.post("/sign-in/us", &[]).await;
    assert_eq!(location(&begun), "/sign-in");
    let page = app.text("/sign-in").await;
    assert!(
        page.contains("Signing in to US Cloud could not start"),
        "{page}"
    );
}

#[tokio::test]
async fn an_api_key_with_blanks_around_it_is_taken() {
    let harness = Harness::new().await;
    let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
    let typed = format!("  {key}\n");
    let address = format!(" {} ", harness.demo.us().address());
    let end = harness
        .app
        .post("/api-key", &[("address", &address), ("key", &typed)])
        .await;
    assert_eq!(location(&end), "/", "no key in the address");
    shows_exactly(&harness, &|_, _| true).await;
    let page = harness.app.text("/").await;
    assert!(page.contains("You use an API key for US Cloud"), "{page}");
}

#[tokio::test]
async fn an_api_key_that_is_not_taken_is_explained_and_never_shown_again() {
    let harness = Harness::new().await;
    let us = harness.demo.us().address();
    let weak = harness.demo.us().create_api_key(ApiKeyOptions {
        scopes: "project:read annotation:read".to_owned(),
        ..ApiKeyOptions::default()
    });
    let of_eu = harness.demo.eu().create_api_key(ApiKeyOptions::default());
    for (address, key, sentence) in [
        (us, "phx_wrong", "does not accept this API key"),
        (us, of_eu.as_str(), "belongs to another region"),
        (us, weak.as_str(), "lacks the scopes query:read"),
        (us, "phc_public", "not a personal API key"),
        (us, "   ", "The API key is missing"),
        ("", "phx_secret", "address of your PostHog is missing"),
        ("posthog.example", "phx_secret", "needs its scheme"),
        ("http://posthog.example", "phx_secret", "With plain http"),
        (
            "https://posthog.example/project/1",
            "phx_secret",
            "without a path",
        ),
    ] {
        let answer = harness
            .app
            .post("/api-key", &[("address", address), ("key", key)])
            .await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let page = answer.text().await.unwrap();
        assert!(page.contains(sentence), "{sentence}: {page}");
        let key = key.trim();
        assert!(key.is_empty() || !page.contains(key), "the key is shown");
    }
    assert!(harness.app.state.live().connections().unwrap().is_empty());
}

#[tokio::test]
async fn a_self_hosted_posthog_that_offers_the_browser_is_signed_in_at_with_it() {
    let harness = Harness::new().await;
    harness.demo.eu().play_self_hosted();
    let home = tempfile::tempdir().unwrap();
    let us = harness.demo.us().address();
    let app = crate::harness::App::start(home.path(), us, "http://127.0.0.1:9").await;
    let address = harness.demo.eu().address();
    let begun = app.post("/sign-in/host", &[("address", address)]).await;
    let authorize = app.leads_to(&begun).await;
    let back = harness.demo.eu().consent(&authorize, &Consent::default());
    assert_eq!(location(&app.follow(&back).await), "/");
}

#[tokio::test]
async fn no_form_leads_anywhere_but_to_the_app_and_the_page_after_it_leads_to_posthog() {
    let harness = Harness::new().await;
    let begun = harness.app.post("/sign-in/us", &[]).await;
    let start = harness.app.get(&location(&begun)).await;
    for answer in [&begun, &start] {
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.contains("form-action 'self';"), "{policy}");
        assert!(!policy.contains("http"), "{policy}");
    }
    let page = start.text().await.unwrap();
    assert!(page.contains("Continue to PostHog"), "{page}");
    let address = harness.app.leads_to(&begun).await;
    assert!(
        address.starts_with(harness.demo.us().address()),
        "{address}"
    );
}

#[tokio::test]
async fn another_browser_with_the_right_answer_changes_nothing() {
    let harness = Harness::new().await;
    let begun = harness.app.post("/sign-in/us", &[]).await;
    let address = harness.app.leads_to(&begun).await;
    let theirs = harness.demo.us().consent(&address, &Consent::default());
    let state = theirs.split_once("state=").unwrap().1;
    let denied = harness
        .app
        .address(&format!("/callback?error=access_denied&state={state}"));
    let app_cookie = harness.app.cookie.clone();
    for cookies in ["", "sign-in-guess=1", &app_cookie] {
        for answer in [&theirs, &denied] {
            let request = harness.app.browser.get(answer).header("cookie", cookies);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{cookies}");
            let page = answer.text().await.unwrap();
            assert!(page.contains("did not begin the sign-in"), "{page}");
        }
    }
    assert!(harness.app.state.live().connections().unwrap().is_empty());
    assert_eq!(harness.demo.us().counters().count(Endpoint::Token), 0);
    // The browser that began still ends it.
    assert_eq!(location(&harness.app.follow(&theirs).await), "/");
}

#[tokio::test]
async fn the_start_of_a_sign_in_needs_the_cookie_of_the_app_and_serves_while_it_waits() {
    let harness = Harness::new().await;
    let begun = harness.app.post("/sign-in/us", &[]).await;
    let path = location(&begun);
    let stranger = harness.app.browser.get(harness.app.address(&path));
    let stranger = stranger.send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::FORBIDDEN);
    harness
        .app
        .state
        .say(pockethog_views::pages::layout::Notice {
            text: "Something to know.".to_owned(),
            ..Default::default()
        });
    // A reload of the page keeps the sign-in.
    let first = harness.app.leads_to(&begun).await;
    // Nobody reads a page that leads on at once.
    assert!(harness.app.text("/").await.contains("Something to know."));
    assert_eq!(harness.app.leads_to(&begun).await, first);
    let back = harness.demo.us().consent(&first, &Consent::default());
    harness.app.follow(&back).await;
    let over = harness.app.get(&path).await;
    assert_eq!(over.status(), StatusCode::GONE);
    assert!(over.text().await.unwrap().contains("already finished"));
}

#[tokio::test]
async fn a_page_for_strangers_shows_nothing_of_the_person_and_swallows_no_notice() {
    let harness = Harness::signed_in().await;
    let answer = harness.app.browser.get(harness.app.address("/callback?x"));
    let page = answer.send().await.unwrap().text().await.unwrap();
    assert!(!page.contains("Ada"), "{page}");
    assert!(
        harness
            .app
            .text("/")
            .await
            .contains("Connected to US Cloud as")
    );
}

#[tokio::test]
async fn not_me_removes_the_account_and_its_tokens() {
    let harness = Harness::signed_in().await;
    let id = harness.app.state.live().connections().unwrap()[0]
        .id
        .clone();
    let page = harness.app.text("/").await;
    let undo = format!("action=\"/sign-in/not-me/{id}\"");
    assert!(
        page.contains("Connected to US Cloud as <b><bdi>Ada Lovelace</bdi></b>"),
        "{page}"
    );
    assert!(page.contains(&undo), "{page}");
    assert!(
        !harness.app.text("/").await.contains(&undo),
        "it is said once"
    );
    let answer = harness
        .app
        .post(&format!("/sign-in/not-me/{id}"), &[])
        .await;
    assert_eq!(location(&answer), "/sign-in");
    assert!(harness.app.state.live().connections().unwrap().is_empty());
    assert!(harness.demo.us().counters().count(Endpoint::Revocation) >= 1);
    let page = harness.app.text("/sign-in").await;
    assert!(page.contains("removed from this device"), "{page}");
    assert!(!harness.app.text("/").await.contains("<bdi>Ada Lovelace"));
}

#[tokio::test]
async fn a_self_hosted_posthog_that_cannot_register_says_so_in_the_form() {
    let harness = Harness::new().await;
    harness.demo.eu().play_self_hosted();
    let home = tempfile::tempdir().unwrap();
    let us = harness.demo.us().address();
    let app = crate::harness::App::start(home.path(), us, "http://127.0.0.1:9").await;
    harness.demo.eu().fail_next(demo_posthog::Failure {
        endpoint: Endpoint::Registration,
        times: 1,
        what: demo_posthog::Fault::Status {
            code: 500,
            body: r#"{"error":"server_error"}"#.to_owned(),
            content_type: "application/json".to_owned(),
            retry_after: None,
        },
        when: demo_posthog::When::Before,
    });
    let address = harness.demo.eu().address();
    let answer = app.post("/sign-in/host", &[("address", address)]).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = answer.text().await.unwrap();
    assert!(page.contains("OIDC_RSA_PRIVATE_KEY"), "{page}");
    assert!(page.contains("personal API key"), "{page}");
}
