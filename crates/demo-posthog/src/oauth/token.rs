//! The token endpoint: codes against tokens, refresh tokens against new ones.

use axum::http::header;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::errors::{error, invalid_client};
use super::signing;
use crate::region::Region;
use crate::region::clients::{Client, Kind};
use crate::region::grants::{GRACE, Grants, SignIn};
use crate::region::scopes;
use crate::region::secrets;
use crate::request::{Request, every, last};
use crate::response::Response;

/// Seconds that an `id_token` is good for.
const ID_TOKEN_LIFETIME: i64 = 36_000;

/// Answers `/oauth/token/`.
pub(crate) async fn answer(region: &Region, request: &Request) -> Response {
    if request.method != "POST" {
        return Response::empty(405).with(header::ALLOW, "POST, OPTIONS");
    }
    let form = match fields(request) {
        Ok(form) => form,
        Err(description) => return error(400, "invalid_request", Some(description)),
    };
    let granted = match last(&form, "grant_type") {
        Some("authorization_code") => exchange(region, request, &form),
        Some("refresh_token") => refresh(region, request, &form),
        None | Some("" | "password") => Err(error(400, "invalid_request", None)),
        Some(_) => Err(error(400, "unsupported_grant_type", None)),
    };
    match granted {
        Ok(granted) => success(region, granted).await,
        Err(refusal) => refusal,
    }
    .with(header::CACHE_CONTROL, "no-store")
    .with(header::PRAGMA, "no-cache")
}

/// Tokens to be handed out.
struct Granted {
    client: Client,
    sign_in: SignIn,
    access: String,
    refresh: String,
    nonce: Option<String>,
}

/// The fields of the body: a form, or a JSON object of scalars.
pub(crate) fn fields(request: &Request) -> Result<Vec<(String, String)>, &'static str> {
    if !request.is_json() {
        return Ok(request.form());
    }
    let Ok(Value::Object(members)) = request.json() else {
        return Err("The request body must be a JSON object.");
    };
    members
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            Value::Bool(_) | Value::Number(_) => Ok((name, value.to_string())),
            _ => Err("The values of the request body must be scalars."),
        })
        .collect()
}

/// The client that a request names; a confidential one has to show its secret.
pub(crate) fn client(
    region: &Region,
    request: &Request,
    form: &[(String, String)],
) -> Result<Client, Response> {
    let client = last(form, "client_id")
        .and_then(|id| region.grants().clients.get(id).cloned())
        .ok_or_else(invalid_client)?;
    let basic = request
        .header(header::AUTHORIZATION.as_str())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("basic "));
    match &client.secret {
        // HTTP Basic makes the server ask for a secret that a public client does not have.
        None if basic => Err(invalid_client()),
        None => Ok(client),
        Some(secret) if last(form, "client_secret") == Some(secret) => Ok(client),
        Some(_) => Err(invalid_client()),
    }
}

fn no_duplicates(form: &[(String, String)], names: &[&str]) -> Result<(), Response> {
    match names.iter().find(|name| every(form, name).count() > 1) {
        Some(name) => Err(error(
            400,
            "invalid_request",
            Some(&format!("Duplicate {name} parameter.")),
        )),
        None => Ok(()),
    }
}

fn exchange(
    region: &Region,
    request: &Request,
    form: &[(String, String)],
) -> Result<Granted, Response> {
    let invalid_grant = || error(400, "invalid_grant", None);
    let Some(name) = last(form, "code").filter(|code| !code.is_empty()) else {
        return Err(error(
            400,
            "invalid_request",
            Some("Missing code parameter."),
        ));
    };
    no_duplicates(
        form,
        &[
            "client_id",
            "grant_type",
            "code",
            "redirect_uri",
            "code_verifier",
        ],
    )?;
    let client = client(region, request, form)?;
    let now = region.clock.seconds();
    let mut grants = region.grants();
    let code = grants
        .codes
        .get(name)
        .filter(|code| code.client_id == client.id && now < code.expires_at)
        .ok_or_else(invalid_grant)?;
    match last(form, "code_verifier").filter(|verifier| !verifier.is_empty()) {
        None => {
            return Err(error(
                400,
                "invalid_request",
                Some("Code verifier required."),
            ));
        }
        Some(verifier) => {
            let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            if challenge != code.challenge {
                return Err(invalid_grant());
            }
        }
    }
    if last(form, "redirect_uri") != Some(&code.redirect_uri) {
        return Err(error(
            400,
            "invalid_request",
            Some("Mismatching redirect URI."),
        ));
    }
    let code = grants.codes.remove(name).ok_or_else(invalid_grant)?;
    let sign_in = SignIn {
        client_id: client.id.clone(),
        person: code.person,
        scopes: code.scopes,
        reach: code.reach,
        auth_time: code.auth_time,
    };
    let number = grants.begin(sign_in.clone());
    let access = grants.mint_access(number, now).ok_or_else(invalid_grant)?;
    let refresh = grants.mint_refresh(number, &access);
    Ok(Granted {
        client,
        sign_in,
        access,
        refresh,
        nonce: code.nonce,
    })
}

fn refresh(
    region: &Region,
    request: &Request,
    form: &[(String, String)],
) -> Result<Granted, Response> {
    let invalid_grant = || error(400, "invalid_grant", None);
    let Some(presented) = last(form, "refresh_token").filter(|token| !token.is_empty()) else {
        return Err(error(
            400,
            "invalid_request",
            Some("Missing refresh token parameter."),
        ));
    };
    no_duplicates(form, &["client_id", "grant_type", "refresh_token"])?;
    let client = client(region, request, form)?;
    let now = region.clock.seconds();
    let mut grants = region.grants();
    let grants = &mut *grants;
    let token = grants
        .refresh
        .get(presented)
        .ok_or_else(invalid_grant)?
        .clone();
    let number = token.sign_in;
    let known = grants
        .sign_ins
        .get(&number)
        .filter(|known| known.client_id == client.id);
    let mut sign_in = known.ok_or_else(invalid_grant)?.clone();
    if token.ended_at.is_some_and(|ended| now - ended > GRACE) {
        // Whoever sends it again so late may have stolen it.
        grants.end(number);
        return Err(invalid_grant());
    }
    sign_in.scopes = remaining(grants, &sign_in.scopes, last(form, "scope"))?;
    grants.sign_ins.insert(number, sign_in.clone());
    region.counting.change(|counters| counters.refreshes += 1);

    let (access, refresh) = match (client.kind, &token.successor) {
        (Kind::Dynamic, _) => {
            let access = grants.mint_access(number, now).ok_or_else(invalid_grant)?;
            if let Some(kept) = grants.refresh.get_mut(presented) {
                kept.access.clone_from(&access);
            }
            (access, presented.to_owned())
        }
        (Kind::Manual, Some((access, refresh)))
            if grants
                .refresh
                .get(refresh)
                .is_some_and(|next| next.ended_at.is_none()) =>
        {
            (access.clone(), refresh.clone())
        }
        (Kind::Manual, _) => {
            let access = grants.mint_access(number, now).ok_or_else(invalid_grant)?;
            let refresh = grants.mint_refresh(number, &access);
            grants.access.remove(&token.access);
            if let Some(used) = grants.refresh.get_mut(presented) {
                used.ended_at.get_or_insert(now);
                used.successor = Some((access.clone(), refresh.clone()));
            }
            (access, refresh)
        }
    };
    Ok(Granted {
        client,
        sign_in,
        access,
        refresh,
        nonce: None,
    })
}

/// What a refresh still grants, of what was granted: less where the program asks for less, or where
/// its own scopes were narrowed in the meantime.
fn remaining(
    grants: &Grants,
    granted: &[String],
    asked: Option<&str>,
) -> Result<Vec<String>, Response> {
    let mut left = granted.to_vec();
    if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
        let asked = scopes::split(asked);
        if !asked.iter().all(|scope| scopes::satisfies(granted, scope)) {
            return Err(error(400, "invalid_scope", None));
        }
        left = asked;
    }
    if let Some(narrowed) = &grants.narrowed_to {
        left.retain(|scope| scopes::is_identity(scope) || scopes::satisfies(narrowed, scope));
        if left.iter().all(|scope| scopes::is_identity(scope)) {
            return Err(error(
                400,
                "invalid_grant",
                Some(
                    "Token scopes are no longer within the application's allowed scopes; re-authorize.",
                ),
            ));
        }
    }
    Ok(left)
}

async fn success(region: &Region, granted: Granted) -> Response {
    let Granted {
        client,
        sign_in,
        access,
        refresh,
        nonce,
    } = granted;
    let mut body = json!({
        "access_token": access,
        "expires_in": client.kind.lifetime(),
        "token_type": "Bearer",
        "scope": sign_in.scopes.join(" "),
        "refresh_token": refresh,
        "scoped_teams": sign_in.reach.teams(),
        "scoped_organizations": sign_in.reach.organizations(),
    });
    if let Value::Object(members) = &mut body {
        if sign_in.scopes.iter().any(|scope| scope == "openid") {
            if region.settings().without_signing_key {
                return Response::html(500, "<h1>Server Error (500)</h1>");
            }
            let claims = id_token_claims(region, &client, &sign_in, &access, nonce.as_deref());
            let token = signing::key(region.name).await.sign(&claims);
            members.insert("id_token".to_owned(), json!(token));
        }
        if let Some(name) = region.posthog_region() {
            members.insert("posthog_region".to_owned(), json!(name));
            members.insert("posthog_base_url".to_owned(), json!(region.address));
        }
    }
    Response::json(200, &body)
}

fn id_token_claims(
    region: &Region,
    client: &Client,
    sign_in: &SignIn,
    access: &str,
    nonce: Option<&str>,
) -> Value {
    let now = region.clock.seconds();
    let mut claims = claims(region, sign_in);
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    let signs_as = region.settings().signs_as.clone();
    put(
        "iss",
        json!(signs_as.unwrap_or_else(|| region.address.clone())),
    );
    put("aud", json!(client.id));
    put("iat", json!(now));
    put("exp", json!(now + ID_TOKEN_LIFETIME));
    put("auth_time", json!(sign_in.auth_time));
    put("jti", json!(secrets::uuid()));
    put("at_hash", json!(signing::at_hash(access)));
    if let Some(nonce) = nonce {
        put("nonce", json!(nonce));
    }
    Value::Object(claims)
}

/// What the granted scopes tell about the person.
pub(crate) fn claims(region: &Region, sign_in: &SignIn) -> Map<String, Value> {
    let mut claims = Map::new();
    let Some(person) = region.world.person(sign_in.person) else {
        return claims;
    };
    let has = |scope: &str| sign_in.scopes.iter().any(|granted| granted == scope);
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("sub", json!(person.uuid));
    if has("profile") {
        put("given_name", json!(person.given_name));
        put("family_name", json!(person.family_name));
    }
    if has("email") {
        put("email", json!(person.email));
        put("email_verified", json!(true));
    }
    claims
}
