//! Personal API keys, through the same Vault and in the same language.

use secrecy::SecretString;
use sign_in_with_posthog::{
    ApiKeyError, Connection, CredentialKind, EndReason, Host, Reach, SessionError,
};

use crate::harness::Harness;
use crate::posthog::{Fault, Kind, refusal};
use test_support::{Reply, Response};

async fn add(harness: &Harness, key: &str) -> Result<Connection, ApiKeyError> {
    harness
        .sign_in
        .add_api_key(&harness.host(), &SecretString::from(key))
        .await
}

#[tokio::test]
async fn a_key_with_blanks_around_it_signs_in() {
    let harness = Harness::new(Kind::Keeping);
    let connection = add(&harness, "  phx_right\n").await.unwrap();
    assert_eq!(connection.kind, CredentialKind::ApiKey);
    assert_eq!(connection.account.label(), "ada@example.com");
    let token = harness.session(&connection).access_token().await.unwrap();
    assert_eq!(token.expose(), "phx_right");
    // It does not expire.
    harness.clock.advance(400 * 24 * 3600);
    harness.session(&connection).access_token().await.unwrap();
}

#[tokio::test]
async fn missing_scopes_are_named() {
    let harness = Harness::new(Kind::Keeping);
    let error = add(&harness, "phx_narrow").await.unwrap_err();
    assert!(matches!(&error, ApiKeyError::MissingScopes(missing) if missing == &["query:read"]));
    assert!(error.to_string().contains("query:read"));
    assert!(harness.sign_in.connections().unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_key_is_told() {
    let harness = Harness::new(Kind::Keeping);
    let error = add(&harness, "phx_wrong").await.unwrap_err();
    assert!(matches!(error, ApiKeyError::Rejected(_)), "{error:?}");
}

#[tokio::test]
async fn an_unreachable_host_is_told() {
    let harness = Harness::new(Kind::Keeping);
    harness.posthog.unplug();
    let error = add(&harness, "phx_right").await.unwrap_err();
    assert!(matches!(error, ApiKeyError::NoAnswer(_)), "{error:?}");
}

/// Adds `key` at the address of a self-hosted PostHog whose keys cannot ask about themselves.
async fn add_at_old_host(key: &str, current: fn() -> Reply) -> Result<Connection, ApiKeyError> {
    let harness = Harness::new(Kind::Keeping);
    let path = "/api/personal_api_keys/@current";
    harness.posthog.fail(path, 1, Fault::Before(current));
    let host = Host::self_hosted(harness.posthog.base()).unwrap();
    harness
        .sign_in
        .add_api_key(&host, &SecretString::from(key))
        .await
}

#[tokio::test]
async fn an_old_host_whose_keys_cannot_ask_about_themselves_takes_them() {
    let answers: [fn() -> Reply; 3] = [
        || Reply::Response(Response::html(404)),
        || Reply::Response(refusal(401, "not_authenticated")),
        || Reply::Response(refusal(403, "permission_denied")),
    ];
    for current in answers {
        let known = add_at_old_host("phx_right", current).await.unwrap();
        assert_eq!(known.account.label(), "ada@example.com");
        assert_eq!(known.grant.reach, Reach::All);
        assert!(known.grant.scopes.allows("query:read"));
        let nameless = add_at_old_host("phx_projects", current).await.unwrap();
        assert_eq!(nameless.account.subject, "api-key");
        let error = add_at_old_host("phx_wrong", current).await.unwrap_err();
        assert!(matches!(error, ApiKeyError::Rejected(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_person_with_megabytes_of_organizations_is_read() {
    let harness = Harness::new(Kind::Keeping);
    let large = Fault::Edit(|body| {
        body["organization"] = serde_json::json!({"teams": vec!["x".repeat(1000); 3000]});
    });
    harness.posthog.fail("/api/users/@me", 1, large);
    let connection = add(&harness, "phx_right").await.unwrap();
    assert_eq!(connection.account.label(), "ada@example.com");
}

/// A path, and what it answers.
type Scripted = (&'static str, fn() -> Reply);

/// Adds a key at an old host whose API answers so, and tells what it was stored as reaching.
async fn reach_at_old_host(key: &str, answers: &[Scripted]) -> Result<Reach, ApiKeyError> {
    let harness = Harness::new(Kind::Keeping);
    let current = Fault::Before(|| Reply::Response(Response::html(404)));
    harness
        .posthog
        .fail("/api/personal_api_keys/@current", 1, current);
    for (path, answer) in answers {
        harness.posthog.fail(path, 1, Fault::Before(*answer));
    }
    let host = Host::self_hosted(harness.posthog.base()).unwrap();
    let key = SecretString::from(key);
    let added = harness.sign_in.add_api_key(&host, &key).await?;
    Ok(added.grant.reach)
}

fn denied(detail: &str) -> Reply {
    let body = serde_json::json!({"type": "authentication_error", "code": "permission_denied",
        "detail": detail, "attr": null});
    Reply::Response(Response::json(403, &body))
}

fn projects_only() -> Reply {
    denied("API keys with scoped projects are only supported on project-based endpoints.")
}

fn listed(ids: &[&str]) -> Reply {
    let results: Vec<_> = ids
        .iter()
        .map(|id| serde_json::json!({"id": id, "name": id}))
        .collect();
    Reply::Response(Response::json(
        200,
        &serde_json::json!({"next": null, "results": results}),
    ))
}

#[tokio::test]
async fn a_key_for_projects_at_an_old_host_is_not_taken_for_one_without_project_read() {
    let reach = reach_at_old_host(
        "phx_projects",
        &[
            ("/api/organizations", projects_only),
            ("/api/projects/@current", || {
                Reply::Response(Response::json(
                    200,
                    &serde_json::json!({"id": 7, "name": "x"}),
                ))
            }),
        ],
    )
    .await;
    assert_eq!(reach.unwrap(), Reach::Projects(vec![7]));
    let error = reach_at_old_host(
        "phx_projects",
        &[
            ("/api/organizations", || {
                denied("API key missing required scope 'organization:read'")
            }),
            ("/api/projects", projects_only),
            ("/api/projects/@current", || {
                denied("API key does not have access to the requested project: ID 1.")
            }),
        ],
    )
    .await
    .unwrap_err();
    assert!(error.to_string().contains("single projects"), "{error}");
}

#[tokio::test]
async fn a_key_for_organizations_at_an_old_host_is_not_stored_as_reaching_all() {
    let reach =
        reach_at_old_host("phx_projects", &[("/api/organizations", || listed(&["a"]))]).await;
    assert_eq!(reach.unwrap(), Reach::Organizations(vec!["a".to_owned()]));
    let error = reach_at_old_host(
        "phx_projects",
        &[
            ("/api/organizations", || {
                denied("API key missing required scope 'organization:read'")
            }),
            ("/api/projects", || {
                denied("API key does not have access to the requested organization: ID b.")
            }),
        ],
    )
    .await
    .unwrap_err();
    assert!(error.to_string().contains("organization:read"), "{error}");
}

#[tokio::test]
async fn a_limit_that_makes_no_sense_is_not_taken_for_none() {
    let harness = Harness::new(Kind::Keeping);
    let odd = Fault::Edit(|body| body["scoped_organizations"] = serde_json::json!("a"));
    harness
        .posthog
        .fail("/api/personal_api_keys/@current", 1, odd);
    let organizations = Fault::Before(|| listed(&["a"]));
    harness.posthog.fail("/api/organizations", 1, organizations);
    let me =
        Fault::Edit(|body| body["organizations"] = serde_json::json!([{"id": "a"}, {"id": "b"}]));
    harness.posthog.fail("/api/users/@me", 1, me);
    let connection = add(&harness, "phx_right").await.unwrap();
    assert_eq!(
        connection.grant.reach,
        Reach::Organizations(vec!["a".to_owned()])
    );
}

#[tokio::test]
async fn a_busy_host_is_told_from_one_that_is_no_posthog() {
    let error = add_at_old_host("phx_right", || Reply::Response(Response::html(503))).await;
    assert!(matches!(error, Err(ApiKeyError::Busy { status: 503, .. })));
    let error = add_at_old_host("phx_right", || Reply::Response(Response::html(200))).await;
    assert!(matches!(error, Err(ApiKeyError::BadAnswer { .. })));
}

#[tokio::test]
async fn a_key_from_before_there_were_scopes_may_do_everything() {
    let harness = Harness::new(Kind::Keeping);
    let legacy = Fault::Edit(|body| body["scopes"] = serde_json::Value::Null);
    harness
        .posthog
        .fail("/api/personal_api_keys/@current", 1, legacy);
    let connection = add(&harness, "phx_right").await.unwrap();
    assert!(connection.grant.scopes.allows("annotation:write"));
}

#[tokio::test]
async fn a_key_that_posthog_refuses_later_ends_with_its_reason() {
    let harness = Harness::new(Kind::Keeping);
    let connection = add(&harness, "phx_right").await.unwrap();
    let session = harness.session(&connection);
    let refused = session.access_token().await.unwrap();
    for _ in 0..2 {
        let error = session
            .access_token_after_refusal(&refused)
            .await
            .unwrap_err();
        assert!(matches!(
            error,
            SessionError::SignedOut(EndReason::ApiKeyRejected)
        ));
    }
    add(&harness, "phx_right").await.unwrap();
    session.access_token().await.unwrap();
}

#[tokio::test]
async fn a_key_that_was_replaced_comes_back_within_a_day_and_is_removed_after_it() {
    let harness = Harness::new(Kind::Keeping);
    let key = add(&harness, "phx_right").await.unwrap();
    let new = harness.connect().await;
    let listed = || harness.sign_in.connections().unwrap();
    harness.sign_in.set_aside(&key.id, &new.id).await.unwrap();
    assert_eq!(listed(), std::slice::from_ref(&new));
    harness.clock.advance(24 * 3600 - 1);
    harness.sign_in.remove_replaced().await.unwrap();
    let back = harness.sign_in.bring_back(&new.id).await.unwrap();
    assert_eq!(back, std::slice::from_ref(&key));
    assert_eq!(listed(), [new.clone(), key.clone()]);
    let token = harness.session(&key).access_token().await.unwrap();
    assert_eq!(token.expose(), "phx_right");

    let record = format!("{}.sealed", key.id);
    let record = harness.folder().join("sign-in/vault").join(record);
    harness.sign_in.set_aside(&key.id, &new.id).await.unwrap();
    assert!(record.exists());
    harness.clock.advance(24 * 3600);
    assert_eq!(harness.sign_in.bring_back(&new.id).await.unwrap(), []);
    harness.sign_in.remove_replaced().await.unwrap();
    assert!(!record.exists());
}

#[tokio::test]
async fn a_key_that_was_replaced_goes_with_the_sign_in_and_stays_if_it_is_added_again() {
    let harness = Harness::new(Kind::Keeping);
    let key = add(&harness, "phx_right").await.unwrap();
    let new = harness.connect().await;
    harness.sign_in.set_aside(&key.id, &new.id).await.unwrap();
    add(&harness, "phx_right").await.unwrap();
    harness.clock.advance(48 * 3600);
    harness.sign_in.remove_replaced().await.unwrap();
    harness.session(&key).access_token().await.unwrap();

    harness.sign_in.set_aside(&key.id, &new.id).await.unwrap();
    harness.sign_in.sign_out(&new.id).await.unwrap();
    assert_eq!(harness.sign_in.bring_back(&new.id).await.unwrap(), []);
    harness.session(&key).access_token().await.unwrap_err();
}
