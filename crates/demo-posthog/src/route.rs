//! Which endpoint an address names. Every address takes a trailing slash or none.

use percent_encoding::percent_decode_str;

use crate::endpoint::Endpoint;

/// An address of the server, with the values of its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    AuthorizationServer,
    OpenIdConfiguration,
    ProtectedResource,
    Jwks,
    Registration,
    Authorize,
    Token,
    Revocation,
    Introspection,
    Userinfo,
    Front,
    Style,
    Login,
    Logout,
    ConnectedApps,
    RevokeApp,
    CurrentUser,
    CurrentApiKey,
    Organizations,
    Organization(String),
    OrganizationProjects(String),
    OrganizationProject(String, String),
    Projects,
    Project(String),
    EventDefinitions(String),
    Annotations(String),
    Annotation(String, String),
    Query(String),
    QueryStatus(String, String),
    /// Below `/api/`, and unknown.
    UnknownApi,
    Unknown,
}

impl Route {
    /// The route of a path as the request has it, percent-encoded.
    pub(crate) fn of(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let Some(parts) = path.split('/').map(decoded).collect::<Option<Vec<_>>>() else {
            return Self::Unknown;
        };
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match *parts.as_slice() {
            [".well-known", "oauth-authorization-server"] => Self::AuthorizationServer,
            [".well-known", "openid-configuration"] => Self::OpenIdConfiguration,
            [".well-known", "oauth-protected-resource"] => Self::ProtectedResource,
            [".well-known", "jwks.json"] => Self::Jwks,
            ["oauth", "register"] => Self::Registration,
            ["oauth", "authorize"] => Self::Authorize,
            ["oauth", "token"] => Self::Token,
            ["oauth", "revoke"] => Self::Revocation,
            ["oauth", "introspect"] => Self::Introspection,
            ["oauth", "userinfo"] => Self::Userinfo,
            [""] => Self::Front,
            ["static", "demo.css"] => Self::Style,
            ["login"] => Self::Login,
            ["logout"] => Self::Logout,
            // The address within PostHog, and a shorter one.
            ["settings", "user-connected-apps" | "connected-apps"] => Self::ConnectedApps,
            ["settings", "connected-apps", "revoke"] => Self::RevokeApp,
            ["api", "users", "@me"] => Self::CurrentUser,
            ["api", "personal_api_keys", "@current"] => Self::CurrentApiKey,
            ["api", "organizations"] => Self::Organizations,
            ["api", "organizations", id] => Self::Organization(id.to_owned()),
            ["api", "organizations", id, "projects"] => Self::OrganizationProjects(id.to_owned()),
            ["api", "organizations", id, "projects", project] => {
                Self::OrganizationProject(id.to_owned(), project.to_owned())
            }
            ["api", "projects"] => Self::Projects,
            ["api", "projects", id] => Self::Project(id.to_owned()),
            ["api", "projects", id, "event_definitions"] => Self::EventDefinitions(id.to_owned()),
            ["api", "projects", id, "annotations"] => Self::Annotations(id.to_owned()),
            ["api", "projects", id, "annotations", note] => {
                Self::Annotation(id.to_owned(), note.to_owned())
            }
            ["api", "projects", id, "query"] => Self::Query(id.to_owned()),
            ["api", "projects", id, "query", query] => {
                Self::QueryStatus(id.to_owned(), query.to_owned())
            }
            ["api", ..] => Self::UnknownApi,
            _ => Self::Unknown,
        }
    }

    /// Whether a person's browser opens it, and not a program.
    pub(crate) fn is_page(&self) -> bool {
        matches!(
            self,
            Self::Authorize
                | Self::Front
                | Self::Style
                | Self::Login
                | Self::Logout
                | Self::ConnectedApps
                | Self::RevokeApp
                | Self::Unknown
        )
    }

    /// What counters and failures call it.
    pub(crate) fn endpoint(&self) -> Endpoint {
        match self {
            Self::AuthorizationServer | Self::OpenIdConfiguration | Self::ProtectedResource => {
                Endpoint::Metadata
            }
            Self::Jwks => Endpoint::Jwks,
            Self::Registration => Endpoint::Registration,
            Self::Authorize => Endpoint::Authorize,
            Self::Token => Endpoint::Token,
            Self::Revocation => Endpoint::Revocation,
            Self::Introspection => Endpoint::Introspection,
            Self::Userinfo => Endpoint::Userinfo,
            Self::Front
            | Self::Style
            | Self::Login
            | Self::Logout
            | Self::ConnectedApps
            | Self::RevokeApp => Endpoint::Page,
            Self::CurrentUser => Endpoint::CurrentUser,
            Self::CurrentApiKey => Endpoint::CurrentApiKey,
            Self::Organizations => Endpoint::Organizations,
            Self::Organization(_) => Endpoint::Organization,
            Self::OrganizationProjects(_) => Endpoint::OrganizationProjects,
            Self::Projects => Endpoint::Projects,
            Self::Project(_) | Self::OrganizationProject(..) => Endpoint::Project,
            Self::EventDefinitions(_) => Endpoint::EventDefinitions,
            Self::Annotations(_) | Self::Annotation(..) => Endpoint::Annotations,
            Self::Query(_) => Endpoint::Query,
            Self::QueryStatus(..) => Endpoint::QueryStatus,
            Self::UnknownApi | Self::Unknown => Endpoint::Unknown,
        }
    }
}

/// A part of a path without its percent-encoding, unless that is not UTF-8.
fn decoded(part: &str) -> Option<String> {
    let decoded = percent_decode_str(part).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_makes_no_difference() {
        for path in ["/api/projects/11/query", "/api/projects/11/query/"] {
            assert_eq!(Route::of(path), Route::Query("11".to_owned()));
        }
    }

    #[test]
    fn an_encoded_part_is_decoded_and_the_front_page_is_found() {
        assert_eq!(Route::of("/api/users/%40me/"), Route::CurrentUser);
        assert_eq!(Route::of("/"), Route::Front);
    }

    #[test]
    fn what_is_not_known_below_api_is_told_apart() {
        assert_eq!(Route::of("/api/environments/1/"), Route::UnknownApi);
        assert_eq!(Route::of("/favicon.ico"), Route::Unknown);
    }
}
