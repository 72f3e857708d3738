//! What a personal API key reaches, at servers that do not let it ask about itself.
//!
//! Such a key is tried on several endpoints, and the text of the refusals is read: it is for single projects, or
//! for other organizations than the one that its person last opened in the web app. A key that is limited must not
//! be stored as reaching everything.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde::Deserialize;

use super::error::ApiKeyError;
use super::request::{Me, get, unexpected};
use crate::connection::Reach;
use crate::host::Host;
use crate::http::Response;

/// Finds out what `key` reaches; `me` is the person it belongs to, if the key may tell.
pub(super) async fn by_trying(
    http: &reqwest::Client,
    host: &Host,
    key: &SecretString,
    me: Option<&Me>,
) -> Result<Reach, ApiKeyError> {
    let response = get(http, host, "/api/organizations/", key).await?;
    match response.status.as_u16() {
        200 => {
            let page: Page<Named> = response.json().ok_or_else(|| unexpected(host, &response))?;
            let listed = page.results.into_iter().map(|known| known.id).collect();
            return Ok(of_organizations(listed, me));
        }
        403 if is_for_projects(&response) => return single_project(http, host, key).await,
        _ => {}
    }
    // Without `organization:read` the projects tell which organizations there are.
    let response = get(http, host, "/api/projects/", key).await?;
    match response.status.as_u16() {
        200 => {
            let page: Page<Project> = response.json().ok_or_else(|| unexpected(host, &response))?;
            let projects = page.results.into_iter();
            let listed = projects.filter_map(|known| known.organization).collect();
            Ok(of_organizations(listed, me))
        }
        401 => Err(ApiKeyError::Rejected(host.name())),
        403 if is_for_projects(&response) => single_project(http, host, key).await,
        403 if detail(&response).contains("requested organization") => {
            Err(ApiKeyError::LimitUnknown {
                limit: "some organizations",
                remedy: ", or add the scope organization:read",
            })
        }
        403 => Err(ApiKeyError::MissingScopes(vec!["project:read".to_owned()])),
        _ => Err(unexpected(host, &response)),
    }
}

/// A key for single projects may open the one that its person last opened in the web app, if that is among
/// them; the server has no list of the others.
async fn single_project(
    http: &reqwest::Client,
    host: &Host,
    key: &SecretString,
) -> Result<Reach, ApiKeyError> {
    let response = get(http, host, "/api/projects/@current/", key).await?;
    let project: Option<Numbered> = response.json().filter(|_| response.status.is_success());
    match project {
        Some(project) => Ok(Reach::Projects(vec![project.id])),
        None => Err(ApiKeyError::LimitUnknown {
            limit: "single projects",
            remedy: ", or open one of them in PostHog and try again",
        }),
    }
}

/// Everything, unless the person belongs to more organizations than are listed, or that is unknown.
fn of_organizations(listed: BTreeSet<String>, me: Option<&Me>) -> Reach {
    let is_everything = match me {
        // Servers that list no organizations of a person know no limits either.
        Some(me) => me.organizations().all(|id| listed.contains(id)),
        None => listed.is_empty(),
    };
    if is_everything {
        Reach::All
    } else {
        Reach::Organizations(listed.into_iter().collect())
    }
}

fn is_for_projects(response: &Response) -> bool {
    detail(response).contains("only supported on project-based endpoints")
}

fn detail(response: &Response) -> String {
    let body: Option<Refusal> = response.json();
    body.and_then(|body| body.detail).unwrap_or_default()
}

#[derive(Deserialize)]
struct Page<T> {
    results: Vec<T>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    organization: Option<String>,
}

#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me(organizations: &[&str]) -> Me {
        let organizations: Vec<_> = organizations
            .iter()
            .map(|id| serde_json::json!({"id": id}))
            .collect();
        serde_json::from_value(serde_json::json!({"organizations": organizations}))
            .expect("a person")
    }

    #[test]
    fn a_key_that_reaches_less_than_its_person_is_limited() {
        let listed = || BTreeSet::from(["a".to_owned()]);
        let limited = Reach::Organizations(vec!["a".to_owned()]);
        assert_eq!(of_organizations(listed(), Some(&me(&["a"]))), Reach::All);
        assert_eq!(of_organizations(listed(), Some(&me(&["a", "b"]))), limited);
        assert_eq!(of_organizations(listed(), None), limited, "nobody can tell");
    }
}
