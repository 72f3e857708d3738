//! Who sends a request, and what they may reach: PostHog's checks in PostHog's order (credential, throttle,
//! Reach, scope, membership).

use crate::region::Region;
use crate::region::keys::KeyUse;
use crate::region::reach::Reach;
use crate::region::scopes;
use crate::request::Request;
use crate::response::Response;
use crate::world::{Organization, Project};

use super::errors;

/// An accepted bearer.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) person: u64,
    pub(crate) scopes: Vec<String>,
    pub(crate) reach: Reach,
    /// The personal API key, if it is one.
    pub(crate) api_key: Option<String>,
}

impl Credential {
    /// The credential of a request to anything but queries.
    pub(crate) fn of(region: &Region, request: &Request) -> Result<Self, Response> {
        let credential = Self::accepted(region, request)?;
        credential.throttle(
            region,
            &[(KeyUse::Burst, 60, 480), (KeyUse::Sustained, 3600, 4800)],
        )?;
        Ok(credential)
    }

    /// The credential of a query.
    pub(crate) fn of_query(region: &Region, request: &Request) -> Result<Self, Response> {
        let credential = Self::accepted(region, request)?;
        credential.throttle(
            region,
            &[
                (KeyUse::QueryBurst, 60, 240),
                (KeyUse::QuerySustained, 3600, 2400),
            ],
        )?;
        Ok(credential)
    }

    fn accepted(region: &Region, request: &Request) -> Result<Self, Response> {
        let site = &region.address;
        let Some(bearer) = request.bearer() else {
            return Err(errors::not_authenticated(site));
        };
        let now = region.clock.seconds();
        let mut grants = region.grants();
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
    fn throttle(&self, region: &Region, rates: &[(KeyUse, i64, usize)]) -> Result<(), Response> {
        let Some(key) = &self.api_key else {
            return Ok(());
        };
        let now = region.clock.seconds();
        let mut uses = region.key_uses();
        for (kind, window, limit) in rates {
            let throttle = uses.entry((key.clone(), *kind)).or_default();
            if let Some(wait) = throttle.admit(now, *window, *limit) {
                return Err(errors::throttled(wait));
            }
        }
        Ok(())
    }

    /// Refuses a credential without a scope.
    pub(crate) fn require(&self, scope: &str) -> Result<(), Response> {
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

    /// Refuses a credential for single projects if no project is named.
    pub(crate) fn not_for_projects(&self) -> Result<(), Response> {
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
    pub(crate) fn reach_organization(&self, organization: &str) -> Result<(), Response> {
        if self.reaches(organization) {
            return Ok(());
        }
        Err(errors::permission_denied(&format!(
            "API key does not have access to the requested organization: ID {organization}."
        )))
    }

    /// For addresses that name no organization: refuses if the one that the person last opened is outside the
    /// Reach or lets in others alone.
    pub(crate) fn reach_current_organization(&self, region: &Region) -> Result<(), Response> {
        let Some(current) = self.current_organization(region) else {
            return Ok(());
        };
        self.reach_organization(&current.id)?;
        if region.refusals().verified_domains.contains(&current.id) {
            return Err(errors::verified_domain_required());
        }
        Ok(())
    }

    /// Refuses a project outside its Reach.
    pub(crate) fn reach_project(&self, project: u64) -> Result<(), Response> {
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
        region: &'a Region,
    ) -> impl Iterator<Item = &'a Organization> {
        region
            .world
            .organizations_of(self.person)
            .filter(|organization| self.reaches(&organization.id))
    }

    /// Refuses what a test made this organization refuse: everything, personal API keys, or unverified domains.
    pub(crate) fn organization_answers(
        &self,
        region: &Region,
        organization: &Organization,
    ) -> Result<(), Response> {
        let refusals = region.refusals();
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
        region: &'a Region,
        id: &str,
        scope: &str,
    ) -> Result<&'a Project, Response> {
        let missing = || errors::not_found("Project not found.");
        let project = if id == "@current" {
            self.current_project(region)
        } else {
            let id: u64 = id.parse().map_err(|_| missing())?;
            region.world.project(id)
        };
        let project = project.ok_or_else(missing)?;
        self.reach_project(project.id)?;
        self.reach_organization(&project.organization)?;
        self.require(scope)?;
        if !region.world.sees(self.person, project) {
            return Err(errors::permission_denied(
                "You don't have access to the project.",
            ));
        }
        self.project_answers(region, project)?;
        Ok(project)
    }

    /// Refuses what a test made a project refuse.
    pub(crate) fn project_answers(
        &self,
        region: &Region,
        project: &Project,
    ) -> Result<(), Response> {
        if let Some(organization) = region.world.organization(&project.organization) {
            self.organization_answers(region, organization)?;
        }
        match region.refusals().projects.get(&project.id) {
            Some(status) => Err(errors::status(*status)),
            None => Ok(()),
        }
    }

    /// The organization that the person last opened: the first one, until they open another.
    pub(crate) fn current_organization<'a>(&self, region: &'a Region) -> Option<&'a Organization> {
        let opened = region.opened().get(&self.person).cloned();
        let mut mine = region.world.organizations_of(self.person);
        match opened {
            Some(opened) => mine.find(|known| known.id == opened),
            None => mine.next(),
        }
    }

    /// The project that the person last opened: the first one.
    pub(crate) fn current_project<'a>(&self, region: &'a Region) -> Option<&'a Project> {
        let organization = self.current_organization(region)?;
        region.world.projects_of(&organization.id).next()
    }
}
