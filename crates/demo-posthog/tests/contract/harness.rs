//! Two regions on a stopped clock, and a client that follows no redirect.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use demo_posthog::{Consent, Demo, Instance, Options, Reach, SignedIn};
use reqwest::{Method, RequestBuilder, redirect};
use serde_json::{Value, json};
use url::Url;

pub const REDIRECT: &str = "http://127.0.0.1:4711/callback";
pub const SCOPES: &str = "openid profile organization:read project:read query:read event_definition:read annotation:read annotation:write";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub struct Harness {
    pub demo: Demo,
    http: reqwest::Client,
}

/// An answer, read completely.
pub struct Seen {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Harness {
    pub async fn start() -> Self {
        Self::start_with(Options {
            now: Some("2026-11-24T10:30:00Z".parse().unwrap()),
            ..Options::default()
        })
        .await
    }

    pub async fn start_with(options: Options) -> Self {
        // The second call in a process finds it installed.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            demo: Demo::start(options).await.unwrap(),
            http,
        }
    }

    pub fn us(&self) -> &Instance {
        self.demo.us()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.us().address()))
    }

    pub async fn send(&self, request: RequestBuilder) -> Seen {
        let answer = request.send().await.unwrap();
        Seen {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: answer.text().await.unwrap(),
        }
    }

    /// GET with a bearer.
    pub async fn get(&self, bearer: &str, path: &str) -> Seen {
        self.send(self.request(Method::GET, path).bearer_auth(bearer))
            .await
    }

    /// POST of JSON with a bearer.
    pub async fn post(&self, bearer: &str, path: &str, body: &Value) -> Seen {
        self.send(
            self.request(Method::POST, path)
                .bearer_auth(bearer)
                .json(body),
        )
        .await
    }

    /// POST of a form.
    pub async fn form(&self, path: &str, form: &[(&str, &str)]) -> Seen {
        self.send(self.request(Method::POST, path).form(form)).await
    }

    pub async fn register(&self, body: &Value) -> Seen {
        self.send(self.request(Method::POST, "/oauth/register/").json(body))
            .await
    }

    /// A program that registered itself.
    pub async fn client(&self) -> String {
        let body =
            json!({"client_name": "PocketHog", "redirect_uris": ["http://127.0.0.1/callback"]});
        self.register(&body).await.json()["client_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The address that a program opens, with these fields instead of the usual ones.
    pub fn authorize_url(&self, client_id: &str, changes: &[(&str, Option<&str>)]) -> String {
        let mut fields = vec![
            ("client_id", client_id),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", SCOPES),
            ("state", "the state"),
            ("nonce", "the nonce"),
            (
                "code_challenge",
                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            ),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            fields.retain(|(known, _)| known != name);
            if let Some(value) = value {
                fields.push((name, value));
            }
        }
        let base = format!("{}/oauth/authorize/", self.us().address());
        Url::parse_with_params(&base, fields).unwrap().into()
    }

    /// A code that a person consented to.
    pub fn code(&self, client_id: &str, consent: &Consent<'_>) -> String {
        let back = self
            .us()
            .consent(&self.authorize_url(client_id, &[]), consent);
        field(&back, "code")
    }

    pub async fn exchange(&self, client_id: &str, code: &str) -> Seen {
        self.form("/oauth/token/", &exchange(client_id, code)).await
    }

    pub async fn refresh(&self, client_id: &str, token: &str) -> Seen {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", client_id),
        ];
        self.form("/oauth/token/", &form).await
    }

    /// Tokens of the first person, with PocketHog's scopes.
    pub fn signed_in(&self, reach: Reach) -> SignedIn {
        self.us().sign_in_directly(1, reach, SCOPES, false)
    }
}

/// The form that exchanges a code.
pub fn exchange<'a>(client_id: &'a str, code: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", client_id),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ]
}

/// A field of an address's query.
pub fn field(address: &str, name: &str) -> String {
    let address = Url::parse(address).unwrap();
    let found = address.query_pairs().find(|(key, _)| key == name);
    found
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// One part of a JSON Web Token: 0 is its header, 1 its claims.
pub fn part(token: &str, nth: usize) -> Value {
    let part = token.split('.').nth(nth).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// PostHog's error body.
pub fn error(kind: &str, code: &str, detail: &str) -> Value {
    json!({"type": kind, "code": code, "detail": detail, "attr": null})
}

/// The body of a 403.
pub fn denied(detail: &str) -> Value {
    error("authentication_error", "permission_denied", detail)
}
