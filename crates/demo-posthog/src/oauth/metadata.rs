//! The documents below `/.well-known/` (RFC 8414, OpenID Connect Discovery, RFC 9728).

use axum::http::header;
use serde_json::{Value, json};

use super::signing;
use crate::region::Region;
use crate::region::scopes;
use crate::request::Request;
use crate::response::Response;
use crate::route::Route;

/// Answers a metadata request.
pub(crate) async fn answer(region: &Region, request: &Request, route: &Route) -> Response {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Response::empty(405).with(header::ALLOW, "GET, HEAD");
    }
    let body = match route {
        Route::OpenIdConfiguration => openid_configuration(region),
        Route::ProtectedResource => json!({
            "resource": region.site_url(),
            "authorization_servers": [region.site_url()],
            "scopes_supported": supported(),
            "bearer_methods_supported": ["header"],
        }),
        Route::Jwks if region.settings().without_signing_key => json!({ "keys": [] }),
        Route::Jwks => signing::key(region.name).await.jwks(),
        _ => authorization_server(region),
    };
    Response::json(200, &body)
        .with(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        .with(header::CACHE_CONTROL, "max-age=3600")
}

fn supported() -> Vec<String> {
    let identity = scopes::IDENTITY
        .iter()
        .map(|(scope, _)| (*scope).to_owned());
    identity.chain(scopes::self_serve()).collect()
}

fn shared(region: &Region) -> Value {
    let site_url = region.site_url();
    let at = |path: &str| format!("{site_url}{path}");
    json!({
        "issuer": site_url,
        "authorization_endpoint": at("/oauth/authorize/"),
        "token_endpoint": at("/oauth/token/"),
        "userinfo_endpoint": at("/oauth/userinfo/"),
        "revocation_endpoint": at("/oauth/revoke/"),
        "introspection_endpoint": at("/oauth/introspect/"),
        "registration_endpoint": at("/oauth/register/"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "scopes_supported": supported(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "service_documentation": "https://posthog.com/docs/api/oauth",
    })
}

fn authorization_server(region: &Region) -> Value {
    let mut document = shared(region);
    if let Value::Object(members) = &mut document {
        members.insert(
            "client_id_metadata_document_supported".to_owned(),
            json!(true),
        );
        if let Some(name) = region.posthog_region() {
            members.insert("posthog_region".to_owned(), json!(name));
            members.insert("posthog_base_url".to_owned(), json!(region.address));
        }
    }
    document
}

fn openid_configuration(region: &Region) -> Value {
    let mut document = shared(region);
    if let Value::Object(members) = &mut document {
        members.insert("subject_types_supported".to_owned(), json!(["public"]));
        members.insert(
            "id_token_signing_alg_values_supported".to_owned(),
            json!(["RS256"]),
        );
        members.insert(
            "claims_supported".to_owned(),
            json!([
                "sub",
                "email",
                "email_verified",
                "given_name",
                "family_name"
            ]),
        );
    }
    document
}
