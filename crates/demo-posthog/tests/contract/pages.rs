//! The way of a browser through the pages, without scripts.

use demo_posthog::Reach;
use reqwest::Method;

use crate::harness::{Harness, REDIRECT, SCOPES, Seen, field};

/// A browser in which the first person is logged in.
struct Browser<'a> {
    harness: &'a Harness,
    cookie: String,
}

impl<'a> Browser<'a> {
    async fn log_in(harness: &'a Harness, next: &str) -> (Self, String) {
        let seen = harness
            .form("/login", &[("person", "1"), ("next", next)])
            .await;
        let set = seen.header("set-cookie");
        assert!(
            set.contains("HttpOnly") && set.contains("SameSite=Lax"),
            "{set}"
        );
        let cookie = set.split(';').next().unwrap().to_owned();
        (Self { harness, cookie }, seen.header("location").to_owned())
    }

    async fn get(&self, path: &str) -> Seen {
        let request = self
            .harness
            .request(Method::GET, path)
            .header("cookie", &self.cookie);
        self.harness.send(request).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Seen {
        let request = self
            .harness
            .request(Method::POST, path)
            .header("cookie", &self.cookie);
        self.harness.send(request.form(form)).await
    }
}

fn form_token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn path_of_a_request(harness: &Harness) -> (String, String) {
    let client = harness.client().await;
    let address = harness.authorize_url(&client, &[]);
    (
        client,
        address
            .strip_prefix(harness.us().address())
            .unwrap()
            .to_owned(),
    )
}

#[tokio::test]
async fn login_consent_and_back_with_what_was_ticked() {
    let harness = Harness::start().await;
    let (client, path) = path_of_a_request(&harness).await;
    let (browser, next) = Browser::log_in(&harness, &path).await;
    assert_eq!(next, path);
    let page = browser.get(&path).await;
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("form-action 'self' http://127.0.0.1:4711;"),
        "{policy}"
    );
    for control in [
        "id=\"authorize\"",
        "id=\"deny\"",
        "id=\"access-organization\"",
        "id=\"project-11\"",
        "id=\"scope-annotation-write\"",
    ] {
        assert!(page.text.contains(control), "{control}");
    }
    assert!(!page.text.contains("<script"));
    let token = form_token(&page.text);
    let form = [
        ("form_token", token.as_str()),
        ("access_level", "project"),
        ("project", "11"),
        ("project", "13"),
        ("scope.annotation", "read"),
        ("scope.query", "none"),
        ("decision", "authorize"),
    ];
    let back = browser.post(&path, &form).await;
    assert_eq!(back.status, 303);
    let body = harness
        .exchange(&client, &field(back.header("location"), "code"))
        .await
        .json();
    assert_eq!(body["scoped_teams"], serde_json::json!([11, 13]));
    assert_eq!(
        body["scope"],
        "openid profile organization:read project:read event_definition:read annotation:read"
    );
}

#[tokio::test]
async fn the_cancel_button_denies() {
    let harness = Harness::start().await;
    let (_, path) = path_of_a_request(&harness).await;
    let (browser, _) = Browser::log_in(&harness, &path).await;
    let token = form_token(&browser.get(&path).await.text);
    let form = [
        ("form_token", token.as_str()),
        ("access_level", "all"),
        ("decision", "deny"),
    ];
    let back = browser.post(&path, &form).await;
    assert_eq!(
        back.header("location"),
        format!("{REDIRECT}?error=access_denied&state=the+state")
    );
}

#[tokio::test]
async fn nothing_chosen_or_something_foreign_keeps_the_page_open() {
    let harness = Harness::start().await;
    let (_, path) = path_of_a_request(&harness).await;
    let (browser, _) = Browser::log_in(&harness, &path).await;
    let token = form_token(&browser.get(&path).await.text);
    for (extra, sentence) in [
        (
            ("organization", ""),
            "You do not belong to one of these organizations.",
        ),
        (("nothing", ""), "Choose at least one organization."),
    ] {
        let form = [
            ("form_token", token.as_str()),
            ("access_level", "organization"),
            extra,
            ("decision", "authorize"),
        ];
        let page = browser.post(&path, &form).await;
        assert_eq!((page.status, page.header("location")), (400, ""));
        assert!(page.text.contains(sentence), "{sentence}");
    }
}

#[tokio::test]
async fn a_form_of_another_site_or_without_the_token_does_nothing() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    let (browser, _) = Browser::log_in(&harness, "/").await;
    let path = "/settings/connected-apps/revoke";
    let without = browser
        .post(path, &[("client_id", &signed.client_id)])
        .await;
    assert_eq!(without.status, 403);
    let foreign = harness
        .request(Method::POST, "/login")
        .header("origin", "https://evil.example");
    assert_eq!(
        harness.send(foreign.form(&[("person", "1")])).await.status,
        403
    );
    assert_eq!(
        harness
            .get(&signed.access_token, "/api/projects/")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn revoking_a_connected_app_ends_its_tokens_at_once() {
    let harness = Harness::start().await;
    let signed = harness.signed_in(Reach::All);
    let (browser, _) = Browser::log_in(&harness, "/settings/connected-apps").await;
    let page = browser.get("/settings/connected-apps").await;
    let button = format!("id=\"revoke-{}\"", signed.client_id);
    assert!(page.text.contains(&button) && page.text.contains(SCOPES));
    let token = form_token(&page.text);
    let form = [
        ("form_token", token.as_str()),
        ("client_id", signed.client_id.as_str()),
    ];
    let revoked = browser.post("/settings/connected-apps/revoke", &form).await;
    assert_eq!(revoked.status, 303);
    assert_eq!(
        harness
            .get(&signed.access_token, "/api/projects/")
            .await
            .status,
        401
    );
    assert!(
        browser
            .get(revoked.header("location"))
            .await
            .text
            .contains("No application has access.")
    );
}

#[tokio::test]
async fn approval_prompt_auto_skips_the_page_where_access_was_given() {
    let harness = Harness::start().await;
    let (client, path) = path_of_a_request(&harness).await;
    let (browser, _) = Browser::log_in(&harness, &path).await;
    let auto = format!("{path}&approval_prompt=auto");
    assert_eq!(browser.get(&auto).await.status, 200);
    let consent = demo_posthog::Consent {
        reach: Reach::Projects(vec![14]),
        ..demo_posthog::Consent::default()
    };
    harness
        .exchange(&client, &harness.code(&client, &consent))
        .await;
    let skipped = browser.get(&auto).await;
    assert_eq!(skipped.status, 302);
    let body = harness
        .exchange(&client, &field(skipped.header("location"), "code"))
        .await
        .json();
    assert_eq!(body["scoped_teams"], serde_json::json!([14]));
}

#[tokio::test]
async fn logging_out_leads_back_to_the_login() {
    let harness = Harness::start().await;
    let (browser, _) = Browser::log_in(&harness, "/").await;
    let out = browser
        .post("/logout", &[("next", "/settings/connected-apps")])
        .await;
    assert_eq!(
        out.header("location"),
        "/login?next=%2Fsettings%2Fconnected-apps"
    );
    assert_eq!(browser.get("/settings/connected-apps").await.status, 302);
}

#[tokio::test]
async fn latency_is_for_programs_and_not_for_pages() {
    let harness = Harness::start().await;
    harness
        .us()
        .set_latency(std::time::Duration::from_secs(3600));
    for path in ["/login", "/static/demo.css", "/nowhere"] {
        let seen = harness.send(harness.request(Method::GET, path)).await;
        assert!(matches!(seen.status, 200 | 404), "{path}");
    }
    let kept_waiting = harness.send(harness.request(Method::GET, "/api/projects/"));
    let waited = tokio::time::timeout(std::time::Duration::from_millis(100), kept_waiting).await;
    assert!(waited.is_err());
}
