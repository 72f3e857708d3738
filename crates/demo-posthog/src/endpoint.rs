//! What failures and counters call a kind of request.

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// Every request. Only for failures and sums.
    Any,
    /// Every request to `/api/`. Only for failures and sums.
    Api,
    /// The three `/.well-known/` documents about the server.
    Metadata,
    /// `/.well-known/jwks.json`.
    Jwks,
    /// `/oauth/register/`.
    Registration,
    /// `/oauth/authorize/`, the consent page included.
    Authorize,
    /// `/oauth/token/`.
    Token,
    /// `/oauth/revoke/`.
    Revocation,
    /// `/oauth/introspect/`.
    Introspection,
    /// `/oauth/userinfo/`.
    Userinfo,
    /// `/api/users/@me/`.
    CurrentUser,
    /// `/api/personal_api_keys/@current/`.
    CurrentApiKey,
    /// `/api/organizations/`.
    Organizations,
    /// `/api/organizations/:id/`.
    Organization,
    /// `/api/organizations/:id/projects/`.
    OrganizationProjects,
    /// `/api/projects/`.
    Projects,
    /// `/api/projects/:id/` and `/api/organizations/:id/projects/:id/`.
    Project,
    /// `/api/projects/:id/event_definitions/`.
    EventDefinitions,
    /// `/api/projects/:id/annotations/`, and one of them.
    Annotations,
    /// POST `/api/projects/:id/query/`.
    Query,
    /// `/api/projects/:id/query/:query_id/`: poll and cancel.
    QueryStatus,
    /// Login and settings.
    Page,
    /// No endpoint of this server.
    Unknown,
}

impl Endpoint {
    /// Whether a failure for `self` meets a request to `other`.
    pub(crate) fn covers(self, other: Self) -> bool {
        match self {
            Self::Any => true,
            Self::Api => other.is_api(),
            _ => self == other,
        }
    }

    pub(crate) fn is_api(self) -> bool {
        matches!(
            self,
            Self::Api
                | Self::CurrentUser
                | Self::CurrentApiKey
                | Self::Organizations
                | Self::Organization
                | Self::OrganizationProjects
                | Self::Projects
                | Self::Project
                | Self::EventDefinitions
                | Self::Annotations
                | Self::Query
                | Self::QueryStatus
        )
    }
}
