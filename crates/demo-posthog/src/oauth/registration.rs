//! Dynamic client registration (RFC 7591) with PostHog's rules for names and addresses.

use axum::http::header;
use serde_json::{Map, Value, json};

use super::errors::error;
use crate::api::errors;
use crate::region::Region;
use crate::region::clients::{Client, Kind, check_redirect_uri};
use crate::region::scopes;
use crate::region::secrets;
use crate::request::Request;
use crate::response::Response;

/// Registrations a minute, per address.
const PER_MINUTE: usize = 60;

/// Answers `/oauth/register/`.
pub(crate) fn answer(region: &Region, request: &Request) -> Response {
    if request.method != "POST" {
        return errors::method_not_allowed(request.method.as_str(), "POST, OPTIONS");
    }
    let now = region.clock.seconds();
    if let Some(wait) = region.registrations().admit(now, 60, PER_MINUTE) {
        return errors::throttled(wait);
    }
    let Ok(Value::Object(asked)) = request.json() else {
        return error(
            400,
            "invalid_client_metadata",
            Some("The request body must be a JSON object."),
        );
    };
    match register(&asked) {
        Ok(_) if region.settings().without_signing_key => {
            error(500, "server_error", Some("Failed to create client"))
        }
        Ok((client, body)) => {
            let id = client.id.clone();
            region.grants().clients.insert(id, client);
            let mut body = body;
            body.insert("client_id_issued_at".to_owned(), json!(now));
            Response::json(201, &Value::Object(body))
                .with(header::CACHE_CONTROL, "no-store")
                .with(header::PRAGMA, "no-cache")
        }
        Err((code, description)) => error(400, code, Some(&description)),
    }
}

type Refusal = (&'static str, String);

fn metadata(description: impl Into<String>) -> Refusal {
    ("invalid_client_metadata", description.into())
}

fn register(asked: &Map<String, Value>) -> Result<(Client, Map<String, Value>), Refusal> {
    let redirect_uris = strings(asked, "redirect_uris")?
        .filter(|addresses| !addresses.is_empty())
        .ok_or_else(|| metadata("redirect_uris: This field is required."))?;
    for address in &redirect_uris {
        if address.contains(char::is_whitespace) {
            return Err((
                "invalid_redirect_uri",
                "Redirect URIs cannot contain whitespace.".to_owned(),
            ));
        }
        check_redirect_uri(address).map_err(|why| ("invalid_redirect_uri", why))?;
    }
    let grant_types = choice(
        asked,
        "grant_types",
        &["authorization_code", "refresh_token"],
        "authorization_code",
    )?;
    let response_types = choice(asked, "response_types", &["code"], "code")?;
    let method = match asked.get("token_endpoint_auth_method") {
        None => "none",
        Some(Value::String(method)) if method == "none" => "none",
        Some(Value::String(method)) if method == "client_secret_post" => "client_secret_post",
        Some(_) => return Err(metadata("Unsupported token_endpoint_auth_method.")),
    };
    let name = match asked.get("client_name") {
        None => None,
        Some(Value::String(name)) => Some(checked_name(name)?),
        Some(_) => return Err(metadata("client_name must be a string.")),
    };
    let ceiling = ceiling(asked)?;
    let id = secrets::alphanumeric(40);
    let secret = (method == "client_secret_post").then(|| secrets::alphanumeric(64));

    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("client_id", json!(id));
    put("redirect_uris", json!(redirect_uris));
    put("grant_types", json!(grant_types));
    put("response_types", json!(response_types));
    put("token_endpoint_auth_method", json!(method));
    if let Some(name) = &name {
        put("client_name", json!(name));
    }
    if !ceiling.is_empty() {
        put("scope", json!(ceiling.join(" ")));
    }
    if let Some(secret) = &secret {
        put("client_secret", json!(secret));
        put("client_secret_expires_at", json!(0));
    }
    let client = Client {
        id,
        kind: Kind::Dynamic,
        name: name.unwrap_or_else(|| "MCP Client".to_owned()),
        redirect_uris,
        scopes: ceiling,
        secret,
    };
    Ok((client, body))
}

fn checked_name(name: &str) -> Result<String, Refusal> {
    let lower = name.trim().to_lowercase();
    if name.chars().count() > 255 {
        return Err(metadata("client_name must have at most 255 characters."));
    }
    if lower.starts_with("posthog") {
        return Err(metadata("client_name must not start with 'PostHog'."));
    }
    if ["official", "verified", "trusted"]
        .iter()
        .any(|word| lower.contains(word))
    {
        return Err(metadata(
            "client_name must not contain 'official', 'verified' or 'trusted'.",
        ));
    }
    Ok(name.to_owned())
}

/// The scopes that can be granted at most; an asked-for list of which nothing remains is refused.
fn ceiling(asked: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let scope = match asked.get("scope") {
        None => return Ok(Vec::new()),
        Some(Value::String(scope)) => scopes::split(scope),
        Some(_) => return Err(metadata("scope must be a string.")),
    };
    let known: Vec<String> = scope
        .iter()
        .filter(|scope| scopes::is_known(scope))
        .cloned()
        .collect();
    if known.is_empty() && !scope.is_empty() {
        return Err(metadata("None of the requested scopes can be granted."));
    }
    Ok(known
        .into_iter()
        .filter(|scope| !scopes::is_identity(scope))
        .collect())
}

fn strings(asked: &Map<String, Value>, field: &str) -> Result<Option<Vec<String>>, Refusal> {
    let Some(value) = asked.get(field) else {
        return Ok(None);
    };
    let list = value
        .as_array()
        .and_then(|list| {
            list.iter()
                .map(|item| item.as_str().map(ToOwned::to_owned))
                .collect::<Option<Vec<_>>>()
        })
        .ok_or_else(|| metadata(format!("{field} must be a list of strings.")))?;
    Ok(Some(list))
}

fn choice(
    asked: &Map<String, Value>,
    field: &str,
    allowed: &[&str],
    default: &str,
) -> Result<Vec<String>, Refusal> {
    let Some(list) = strings(asked, field)? else {
        return Ok(vec![default.to_owned()]);
    };
    match list.iter().find(|item| !allowed.contains(&item.as_str())) {
        Some(item) => Err(metadata(format!(
            "\"{item}\" is not a valid choice for {field}."
        ))),
        None => Ok(list),
    }
}
