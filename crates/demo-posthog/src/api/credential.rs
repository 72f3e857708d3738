//! Who asks, and what they reach: PostHog's checks in PostHog's order (credential, throttle, reach,
//! scope, membership).

use crate::answer::Answer;
use crate::call::Call;
use crate::oauth::grant::Reach;
use crate::oauth::scopes;
use crate::server::Server;
use crate::world::{Organization, Project};

use super::errors;

/// Requests that are throttled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyUse {
    /// Queries in a minute.
    QueryBurst,
    /// Queries in an hour.
    QuerySustained,
    /// Other requests in a minute.
    Burst,
    /// Other requests in an hour.
    Sustained,
}

/// An accepted bearer.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) person: u64,
    pub(crate) scopes: Vec<String>,
    pub(crate) reach: Reach,
    /// The personal API key, where it is one.
    pub(crate) api_key: Option<String>,
}

impl Credential {
    /// The credential of a request to anything but queries.
    pub(crate) fn of(server: &Server, call: &Call) -> Result<Self, Answer> {
        let credential = Self::accepted(server, call)?;
        credential.throttle(
            server,
            &[(KeyUse::Burst, 60, 480), (KeyUse::Sustained, 3600, 4800)],
        )?;
        Ok(credential)
    }

    /// The credential of a query.
    pub(crate) fn of_query(server: &Server, call: &Call) -> Result<Self, Answer> {
        let credential = Self::accepted(server, call)?;
        credential.throttle(
            server,
            &[
                (KeyUse::QueryBurst, 60, 240),
                (KeyUse::QuerySustained, 3600, 2400),
            ],
        )?;
        Ok(credential)
    }

    fn accepted(server: &Server, call: &Call) -> Result<Self, Answer> {
        let site = &server.address;
        let Some(bearer) = call.bearer() else {
            return Err(errors::not_authenticated(site));
        };
        let now = server.clock.seconds();
        let mut grants = server.grants();
        if bearer.starts_with("pha_") {
            let invalid = || errors::authentication_failed(site, "Invalid access token.");
            let token = grants.access.get(bearer).ok_or_else(invalid)?;
            if token.expires_at <= now {
                return Err(errors::authentication_failed(
                    site,
                    "Access token has expired.",
                ));
            }
            let sign_in = grants.sign_ins.get(&token.sign_in).ok_or_else(invalid)?;
            return Ok(Self {
                person: sign_in.person,
                scopes: token.scopes.clone(),
                reach: sign_in.reach.clone(),
                api_key: None,
            });
        }
        let key = grants.api_keys.get_mut(bearer).ok_or_else(|| {
            errors::authentication_failed(
                site,
                "Personal API key found in request Authorization header is invalid.",
            )
        })?;
        key.last_used_at = Some(now);
        Ok(Self {
            person: key.person,
            scopes: key.scopes.clone(),
            reach: key.reach.clone(),
            api_key: Some(bearer.to_owned()),
        })
    }

    /// Only personal API keys are throttled.
    fn throttle(&self, server: &Server, rates: &[(KeyUse, i64, usize)]) -> Result<(), Answer> {
        let Some(key) = &self.api_key else {
            return Ok(());
        };
        let now = server.clock.seconds();
        let mut uses = server.key_uses();
        for (kind, window, limit) in rates {
            let throttle = uses.entry((key.clone(), *kind)).or_default();
            if let Some(wait) = throttle.admit(now, *window, *limit) {
                return Err(errors::throttled(wait));
            }
        }
        Ok(())
    }

    /// Refuses a credential without a scope.
    pub(crate) fn require(&self, scope: &str) -> Result<(), Answer> {
        let any = self.scopes.iter().any(|scope| !scopes::is_identity(scope));
        if self.api_key.is_none() && !any {
            return Err(errors::permission_denied(
                "OAuth token has no scopes and cannot access this resource",
            ));
        }
        if scopes::satisfies(&self.scopes, scope) {
            return Ok(());
        }
        Err(errors::permission_denied(&format!(
            "API key missing required scope '{scope}'"
        )))
    }

    /// Refuses a credential for single projects where no project is named.
    pub(crate) fn not_for_projects(&self) -> Result<(), Answer> {
        if self.reach.teams().is_empty() {
            return Ok(());
        }
        Err(errors::permission_denied(
            "API keys with scoped projects are only supported on project-based endpoints.",
        ))
    }

    /// Whether its Reach leaves an organization in.
    pub(crate) fn reaches(&self, organization: &str) -> bool {
        let organizations = self.reach.organizations();
        organizations.is_empty() || organizations.iter().any(|id| id == organization)
    }

    /// Refuses an organization outside its Reach.
    pub(crate) fn reach_organization(&self, organization: &str) -> Result<(), Answer> {
        if self.reaches(organization) {
            return Ok(());
        }
        Err(errors::permission_denied(&format!(
            "API key does not have access to the requested organization: ID {organization}."
        )))
    }

    /// Refuses where an address names no organization, and the one that the person last opened is outside the
    /// Reach or lets in others alone.
    pub(crate) fn reach_current_organization(&self, server: &Server) -> Result<(), Answer> {
        let Some(current) = self.current_organization(server) else {
            return Ok(());
        };
        self.reach_organization(&current.id)?;
        if server.refusals().verified_domains.contains(&current.id) {
            return Err(errors::verified_domain_required());
        }
        Ok(())
    }

    /// Refuses a project outside its Reach.
    pub(crate) fn reach_project(&self, project: u64) -> Result<(), Answer> {
        let teams = self.reach.teams();
        if teams.is_empty() || teams.contains(&project) {
            return Ok(());
        }
        Err(errors::permission_denied(&format!(
            "API key does not have access to the requested project: ID {project}."
        )))
    }

    /// The organizations that it sees and reaches.
    pub(crate) fn organizations<'a>(
        &'a self,
        server: &'a Server,
    ) -> impl Iterator<Item = &'a Organization> {
        server
            .world
            .organizations_of(self.person)
            .filter(|organization| self.reaches(&organization.id))
    }

    /// What tests made this organization answer: an error, no personal API keys, or nobody of another domain.
    pub(crate) fn organization_answers(
        &self,
        server: &Server,
        organization: &Organization,
    ) -> Result<(), Answer> {
        let refusals = server.refusals();
        if let Some(status) = refusals.organizations.get(&organization.id) {
            return Err(errors::status(*status));
        }
        if refusals.verified_domains.contains(&organization.id) {
            return Err(errors::verified_domain_required());
        }
        if self.api_key.is_some() && refusals.without_api_keys.contains(&organization.id) {
            return Err(errors::permission_denied(&format!(
                "Organization '{}' does not allow using personal API keys. Contact an admin to enable this.",
                organization.name
            )));
        }
        Ok(())
    }

    /// The project that an address names, for the endpoints below it, once scope and Reach allow it.
    pub(crate) fn project<'a>(
        &self,
        server: &'a Server,
        id: &str,
        scope: &str,
    ) -> Result<&'a Project, Answer> {
        let missing = || errors::not_found("Project not found.");
        let project = if id == "@current" {
            self.current_project(server)
        } else {
            let id: u64 = id.parse().map_err(|_| missing())?;
            server.world.project(id)
        };
        let project = project.ok_or_else(missing)?;
        self.reach_project(project.id)?;
        self.reach_organization(&project.organization)?;
        self.require(scope)?;
        if !server.world.sees(self.person, project) {
            return Err(errors::permission_denied(
                "You don't have access to the project.",
            ));
        }
        self.project_answers(server, project)?;
        Ok(project)
    }

    /// What tests made a project answer.
    pub(crate) fn project_answers(&self, server: &Server, project: &Project) -> Result<(), Answer> {
        if let Some(organization) = server.world.organization(&project.organization) {
            self.organization_answers(server, organization)?;
        }
        match server.refusals().projects.get(&project.id) {
            Some(status) => Err(errors::status(*status)),
            None => Ok(()),
        }
    }

    /// The organization that the person last opened: the first one, until they open another.
    pub(crate) fn current_organization<'a>(&self, server: &'a Server) -> Option<&'a Organization> {
        let opened = server.opened().get(&self.person).cloned();
        let mut mine = server.world.organizations_of(self.person);
        match opened {
            Some(opened) => mine.find(|known| known.id == opened),
            None => mine.next(),
        }
    }

    /// The project that the person last opened: the first one.
    pub(crate) fn current_project<'a>(&self, server: &'a Server) -> Option<&'a Project> {
        let organization = self.current_organization(server)?;
        server.world.projects_of(&organization.id).next()
    }
}
