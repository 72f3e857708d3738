use base64::Engine as _;
use demo_posthog::{Consent, Reach};
use serde_json::{Value, json};

use crate::harness::{Harness, REDIRECT, SCOPES, Seen, field};

/// What a browser in which somebody is logged in sees at the authorization address.
async fn browse(harness: &Harness, client: &str, changes: &[(&str, Option<&str>)]) -> Seen {
    browse_to(harness, &harness.authorize_url(client, changes)).await
}

async fn browse_to(harness: &Harness, address: &str) -> Seen {
    let path = address.strip_prefix(harness.us().address()).unwrap();
    let logged_in = harness.form("/login", &[("person", "1")]).await;
    let cookie = logged_in.header("set-cookie").split(';').next().unwrap();
    let request = harness.request(reqwest::Method::GET, path);
    harness.send(request.header("cookie", cookie)).await
}

/// What everybody else sees.
async fn browse_unknown(harness: &Harness, client: &str, changes: &[(&str, Option<&str>)]) -> Seen {
    let address = harness.authorize_url(client, changes);
    let path = address.strip_prefix(harness.us().address()).unwrap();
    harness
        .send(harness.request(reqwest::Method::GET, path))
        .await
}

fn shown(description: &str) -> Value {
    json!({"error": "invalid_request", "error_description": description})
}

#[tokio::test]
async fn an_unknown_client_is_shown_to_the_browser_with_the_region() {
    let harness = Harness::start().await;
    let seen = browse(&harness, "nobody", &[]).await;
    assert_eq!((seen.status, seen.header("location")), (400, ""));
    let description = seen.json()["error_description"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        description.contains("client_id in the US region"),
        "{description}"
    );
}

#[tokio::test]
async fn another_redirect_address_never_gets_an_answer() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    for address in [
        "http://localhost:4711/callback",
        "http://127.0.0.1:4711/other",
        "https://evil.example/callback",
    ] {
        let seen = browse(&harness, &client, &[("redirect_uri", Some(address))]).await;
        assert_eq!(
            (seen.status, seen.json()),
            (400, shown("Mismatching redirect URI.")),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_repeated_parameter_is_fatal() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let address = harness.authorize_url(&client, &[]) + "&state=another";
    let seen = browse_to(&harness, &address).await;
    assert_eq!(
        (seen.status, seen.json()),
        (400, shown("Duplicate state parameter."))
    );
}

#[tokio::test]
async fn the_program_hears_of_its_own_mistakes_with_the_state() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    for (name, value, error) in [
        ("code_challenge", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("response_type", Some("token"), "unsupported_response_type"),
        ("prompt", Some("none"), "consent_required"),
    ] {
        let seen = browse(&harness, &client, &[(name, value)]).await;
        let location = seen.header("location");
        assert!(location.starts_with(REDIRECT), "{name}: {location}");
        assert_eq!(
            (field(location, "error"), field(location, "state")),
            (error.to_owned(), "the state".to_owned())
        );
    }
}

#[tokio::test]
async fn prompt_login_is_a_dead_end() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let seen = browse(&harness, &client, &[("prompt", Some("login"))]).await;
    assert_eq!(
        (seen.status, seen.json()),
        (401, json!({"error": "login_required"}))
    );
}

#[tokio::test]
async fn who_is_not_logged_in_is_sent_to_the_login_before_anything_is_looked_at() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let elsewhere = [("redirect_uri", Some("https://evil.example/"))];
    for (client, changes) in [
        (client.as_str(), [].as_slice()),
        ("nobody", &[]),
        (&client, &elsewhere),
        (&client, &[("prompt", Some("none"))]),
    ] {
        let seen = browse_unknown(&harness, client, changes).await;
        assert_eq!(seen.status, 302);
        assert!(
            seen.header("location")
                .starts_with("/login?next=%2Foauth%2Fauthorize%2F%3F")
        );
    }
}

/// A client id that is an address.
const DOCUMENT: &str = "https://client.example/pockethog.json";

fn document() -> Value {
    json!({
        "client_id": DOCUMENT,
        "client_name": "PocketHog",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "none",
    })
}

#[tokio::test]
async fn a_client_id_that_is_the_address_of_a_document_is_known_once_somebody_authorized_it() {
    let harness = Harness::start().await;
    harness.us().publish_client(DOCUMENT, document());
    let never = harness.exchange(DOCUMENT, "never").await;
    assert_eq!(never.status, 401, "the token endpoint fetches nothing");
    let seen = browse(&harness, DOCUMENT, &[]).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert!(seen.text.contains("PocketHog"));
    let code = harness.code(DOCUMENT, &Consent::default());
    let answer = harness.exchange(DOCUMENT, &code).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["expires_in"], 7 * 24 * 3600);
}

#[tokio::test]
async fn a_document_that_does_not_fit_is_shown_to_the_browser_alone() {
    let harness = Harness::start().await;
    let without = |name: &str| {
        let mut document = document();
        document.as_object_mut().unwrap().remove(name);
        document
    };
    let with = |name: &str, value: Value| {
        let mut document = document();
        document[name] = value;
        document
    };
    for document in [
        without("client_id"),
        without("redirect_uris"),
        with("client_id", json!("https://client.example/")),
        with("redirect_uris", json!([])),
        with("redirect_uris", json!(["http://evil.example/"])),
        with("token_endpoint_auth_method", json!("client_secret_post")),
        with("client_name", json!("x".repeat(6000))),
    ] {
        harness.us().publish_client(DOCUMENT, document.clone());
        let seen = browse(&harness, DOCUMENT, &[]).await;
        assert_eq!(
            (seen.status, seen.header("location")),
            (400, ""),
            "{document}"
        );
        assert_eq!(seen.json()["error"], "invalid_client", "{document}");
    }
    for address in [
        "https://client.example/",
        "https://client.example/a?b",
        "https://nowhere.example/a",
    ] {
        assert_eq!(
            browse(&harness, address, &[]).await.status,
            400,
            "{address}"
        );
    }
}

#[tokio::test]
async fn what_self_hosted_instances_lack_shows_where_it_does_at_posthog() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    harness.us().sign_as("http://posthog.internal");
    let code = harness.code(&client, &Consent::default());
    let answer = harness.exchange(&client, &code).await.json();
    let claims = answer["id_token"]
        .as_str()
        .unwrap()
        .split('.')
        .nth(1)
        .unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iss"], "http://posthog.internal");

    harness.us().set_site_url("http://localhost:8010");
    let metadata = harness.request(
        reqwest::Method::GET,
        "/.well-known/oauth-authorization-server",
    );
    let metadata = harness.send(metadata).await.json();
    assert_eq!(metadata["issuer"], "http://localhost:8010");
    assert_eq!(
        metadata["token_endpoint"],
        "http://localhost:8010/oauth/token/"
    );

    harness.us().lose_signing_key();
    let body = json!({"redirect_uris": ["http://127.0.0.1/callback"]});
    let seen = harness.register(&body).await;
    assert_eq!(seen.status, 500);
    let expected = json!({"error": "server_error", "error_description": "Failed to create client"});
    assert_eq!(seen.json(), expected);
    let code = harness.code(&client, &Consent::default());
    assert_eq!(harness.exchange(&client, &code).await.status, 500);
}

#[tokio::test]
async fn a_yes_carries_a_code_and_the_state_and_nothing_else() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let back = harness
        .us()
        .consent(&harness.authorize_url(&client, &[]), &Consent::default());
    let query: Vec<_> = url::Url::parse(&back)
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    let names: Vec<&str> = query.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["code", "state"]);
    assert_eq!(field(&back, "code").len(), 30);
}

#[tokio::test]
async fn any_state_comes_back_as_it_was() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    for state in ["a b&c=d%/ü\"<>", &"x".repeat(2048)] {
        let address = harness.authorize_url(&client, &[("state", Some(state))]);
        let back = harness.us().consent(&address, &Consent::default());
        assert_eq!(field(&back, "state"), state);
    }
}

#[tokio::test]
async fn a_no_is_access_denied() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let deny = Consent {
        deny: true,
        ..Consent::default()
    };
    let back = harness
        .us()
        .consent(&harness.authorize_url(&client, &[]), &deny);
    assert_eq!(
        back,
        format!("{REDIRECT}?error=access_denied&state=the+state")
    );
}

#[tokio::test]
async fn the_answer_tells_the_narrowed_scopes_and_the_reach() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let organization = harness.us().world().organizations[0].id.clone();
    for (reach, teams, organizations) in [
        (Reach::All, json!([]), json!([])),
        (
            Reach::Organizations(vec![organization.clone()]),
            json!([]),
            json!([organization]),
        ),
        (Reach::Projects(vec![11, 15]), json!([11, 15]), json!([])),
    ] {
        let consent = Consent {
            reach,
            scopes: Some("project:read query:read annotation:read"),
            ..Consent::default()
        };
        let body = harness
            .exchange(&client, &harness.code(&client, &consent))
            .await
            .json();
        assert_eq!(
            body["scope"],
            "openid profile project:read query:read annotation:read"
        );
        assert_eq!(
            (&body["scoped_teams"], &body["scoped_organizations"]),
            (&teams, &organizations)
        );
    }
}

#[tokio::test]
async fn a_client_with_a_ceiling_gets_no_more_and_its_scopes_cannot_be_unticked() {
    let harness = Harness::start().await;
    let asked = json!({"redirect_uris": ["http://127.0.0.1/callback"], "scope": "query:read"});
    let client = harness.register(&asked).await.json()["client_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let consent = Consent {
        scopes: Some(""),
        ..Consent::default()
    };
    let body = harness
        .exchange(&client, &harness.code(&client, &consent))
        .await
        .json();
    assert_eq!(body["scope"], "openid profile query:read");
}

#[tokio::test]
async fn all_scopes_that_were_asked_for_are_granted_in_their_order() {
    let harness = Harness::start().await;
    let client = harness.client().await;
    let body = harness
        .exchange(&client, &harness.code(&client, &Consent::default()))
        .await
        .json();
    assert_eq!(body["scope"], SCOPES);
}
