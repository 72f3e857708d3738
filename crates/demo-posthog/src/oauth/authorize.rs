//! The authorization request: what is fatal, what is redirected, what is shown for consent.

use super::{document, errors};
use crate::region::Region;
use crate::region::clients::Client;
use crate::region::grants::Code;
use crate::region::scopes;
use crate::region::secrets;
use crate::request::{every, last};
use crate::response::Response;

/// An authorization request that may be consented to.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    pub(crate) client: Client,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    /// Asked for, clamped to what can be granted.
    pub(crate) scopes: Vec<String>,
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    /// `organization` or `project`. Only the page goes by it.
    pub(crate) required_access_level: Option<String>,
    /// Project to preselect.
    pub(crate) team: Option<u64>,
    /// Skip the page where access was given before.
    pub(crate) auto: bool,
}

/// Why there is no consent page.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The browser shows it; the program hears nothing.
    Shown(Response),
    /// The program hears of it, at this address.
    Redirected(String),
}

/// Reads an authorization request.
pub(crate) fn read(region: &Region, query: &[(String, String)]) -> Result<Authorization, Refusal> {
    for name in [
        "client_id",
        "response_type",
        "redirect_uri",
        "scope",
        "state",
    ] {
        if every(query, name).count() > 1 {
            return Err(shown(&format!("Duplicate {name} parameter.")));
        }
    }
    let given = |name: &str| last(query, name).filter(|value| !value.is_empty());
    let Some(client_id) = given("client_id") else {
        return Err(shown("Missing client_id parameter."));
    };
    let known = region.grants().clients.get(client_id).cloned();
    let client = match known {
        Some(client) => client,
        None if client_id.starts_with("https://") => document::fetch(region, client_id)
            .map_err(|why| Refusal::Shown(errors::error(400, "invalid_client", Some(&why))))?,
        None => return Err(shown(&unknown_client(region))),
    };
    let redirect_uri = match (given("redirect_uri"), client.redirect_uris.as_slice()) {
        (Some(address), _) if url::Url::parse(address).is_err() => {
            return Err(shown("Invalid redirect URI."));
        }
        (Some(address), _) if !client.accepts(address) => {
            return Err(shown("Mismatching redirect URI."));
        }
        (Some(address), _) => address.to_owned(),
        (None, [only]) => only.clone(),
        (None, _) => return Err(shown("Missing redirect URI.")),
    };
    let state = last(query, "state").map(ToOwned::to_owned);
    let redirected = |error: &str, description: &str| {
        Refusal::Redirected(redirect(
            &redirect_uri,
            &[("error", error), ("error_description", description)],
            state.as_deref(),
        ))
    };
    match given("response_type") {
        None => {
            return Err(redirected(
                "invalid_request",
                "Missing response_type parameter.",
            ));
        }
        Some("code") => {}
        Some(_) => return Err(redirected("unsupported_response_type", "")),
    }
    let Some(challenge) = given("code_challenge") else {
        return Err(redirected("invalid_request", "Code challenge required."));
    };
    // An absent method means `plain` (RFC 7636), which PostHog does not take.
    if given("code_challenge_method") != Some("S256") {
        return Err(redirected(
            "invalid_request",
            "Transform algorithm not supported.",
        ));
    }
    match given("prompt") {
        Some("none") => return Err(redirected("consent_required", "")),
        Some("login") => {
            return Err(Refusal::Shown(errors::error(401, "login_required", None)));
        }
        _ => {}
    }
    Ok(Authorization {
        scopes: scopes::clamp(last(query, "scope"), &client.scopes),
        challenge: challenge.to_owned(),
        nonce: given("nonce").map(ToOwned::to_owned),
        required_access_level: given("required_access_level")
            .filter(|level| matches!(*level, "organization" | "project"))
            .map(ToOwned::to_owned),
        team: given("team_id").and_then(|team| team.parse().ok()),
        auto: given("approval_prompt") == Some("auto"),
        client,
        redirect_uri,
        state,
    })
}

impl Authorization {
    /// The address that carries a code back.
    pub(crate) fn grant(&self, region: &Region, code: Code) -> String {
        let name = secrets::alphanumeric(30);
        let address = redirect(
            &self.redirect_uri,
            &[("code", &name)],
            self.state.as_deref(),
        );
        region.grants().codes.insert(name, code);
        address
    }

    /// The address that carries the user's no back.
    pub(crate) fn deny(&self) -> String {
        redirect(
            &self.redirect_uri,
            &[("error", "access_denied")],
            self.state.as_deref(),
        )
    }
}

fn shown(description: &str) -> Refusal {
    Refusal::Shown(errors::error(400, "invalid_request", Some(description)))
}

fn unknown_client(region: &Region) -> String {
    let (here, there) = match region.posthog_region() {
        Some("us") => ("US", "EU"),
        Some(_) => ("EU", "US"),
        None => return "No OAuth application is registered with this client_id.".to_owned(),
    };
    format!(
        "No OAuth application is registered with this client_id in the {here} region. If the application was registered in the {there} region, sign in there instead."
    )
}

/// Adds parameters to a redirect address, which stays as the program wrote it.
fn redirect(address: &str, parameters: &[(&str, &str)], state: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_added_and_the_address_stays() {
        assert_eq!(
            redirect("com.example.app:/oauth", &[("code", "x y")], Some("a&b")),
            "com.example.app:/oauth?code=x+y&state=a%26b"
        );
        assert_eq!(
            redirect(
                "http://127.0.0.1:1/?a=b",
                &[("error", "access_denied")],
                None
            ),
            "http://127.0.0.1:1/?a=b&error=access_denied"
        );
    }
}
