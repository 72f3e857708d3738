//! Connections: what each can see, signing out, signing in again.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State as Extract};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionState, CredentialKind, Reach, Revocation};

use super::sign_in::{self, Purpose};
use super::{Admitted, NotFound, PageError, State, page, see_other};
use pockethog_core::accounts::{EMAIL_SCOPE, missing_scopes, removal_page};
use pockethog_core::live::Change;
use pockethog_core::project::Project;
use pockethog_views::format::{ago, counted};
use pockethog_views::pages::connections::{self, ConnectionCard, Connections};
use pockethog_views::pages::layout::{Notice, Tone};
use pockethog_views::sentence::{capitalised, sentence};

/// Names that are spelled out before the rest is counted.
const MOST_NAMES: usize = 4;

/// `/connections` and what can be done with each.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/connections", get(show))
        .route("/connections/{id}/sign-in", post(sign_in_again))
        .route("/connections/{id}/sign-out", post(sign_out))
        .route("/connections/{id}/remove", post(remove))
}

async fn show(state: Admitted) -> Result<Response, PageError> {
    state
        .blocking(|state| {
            let now = Timestamp::now();
            let connections = state.live().connections()?;
            let mut cards = Vec::with_capacity(connections.len());
            for connection in &connections {
                cards.push(card(state, connection, now)?);
            }
            Ok(page(connections::render(&Connections {
                shell: state.shell(),
                connections: cards,
            })))
        })
        .await
}

fn card(
    state: &State,
    connection: &Connection,
    now: Timestamp,
) -> Result<ConnectionCard, PageError> {
    let snapshots = state.live().snapshots();
    let projects = snapshots.projects_of(&connection.id)?;
    let failures = snapshots
        .discovery(&connection.id)?
        .map(|found| found.failures)
        .unwrap_or_default();
    drop(snapshots);
    let by_key = connection.kind == CredentialKind::ApiKey;
    let refreshed = connection
        .last_refresh_at
        .unwrap_or(connection.signed_in_at);
    let refreshed = Timestamp::from_second(refreshed).ok();
    Ok(ConnectionCard {
        id: connection.id.to_string(),
        who: connection.account.label().to_owned(),
        host: connection.host.name(),
        by_key,
        can_sign_in: !by_key || connection.host.region().is_some(),
        signed_out: match connection.state {
            ConnectionState::Active => None,
            ConnectionState::Ended(reason) => Some(reason.sentence().to_owned()),
        },
        granted: connection
            .grant
            .scopes
            .iter()
            .map(ToOwned::to_owned)
            .collect(),
        missing: missing_scopes(connection),
        reach: reach(&connection.grant.reach, &projects),
        vault: capitalised(&connection.vault.to_string()),
        refreshed: refreshed.map(|at| ago(at, now)).filter(|_| !by_key),
        projects: projects.len(),
        failures,
    })
}

/// A Reach in words, with the names that are known.
fn reach(reach: &Reach, projects: &[Project]) -> String {
    match reach {
        Reach::All => "Everything you can see".to_owned(),
        Reach::Organizations(ids) => {
            let names = ids.iter().filter_map(|id| {
                projects
                    .iter()
                    .find(|project| project.organization.as_ref() == Some(id))
                    .and_then(|project| project.organization_name.clone())
            });
            let counted = counted(ids.len(), "organization", "organizations");
            with_names(&counted, &names.collect::<Vec<_>>())
        }
        Reach::Projects(ids) => {
            let names = ids.iter().filter_map(|id| {
                projects
                    .iter()
                    .find(|project| project.key.id == *id)
                    .map(|project| project.name.clone())
            });
            {
                let counted = counted(ids.len(), "project", "projects");
                with_names(&counted, &names.collect::<Vec<_>>())
            }
        }
    }
}

fn with_names(counted: &str, names: &[String]) -> String {
    if names.is_empty() || names.len() > MOST_NAMES {
        return counted.to_owned();
    }
    format!("{counted}: {}", names.join(", "))
}

/// Signs in once more: to widen the grant, to come back, or to take the place of an API key.
async fn sign_in_again(
    Extract(state): Extract<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let Some(connection) = find(&state, id).await? else {
        return Ok(NotFound::Page.answer(&state));
    };
    let by_key = connection.kind == CredentialKind::ApiKey;
    let purpose = Purpose {
        with_email: !by_key && connection.grant.scopes.allows(EMAIL_SCOPE),
    };
    Ok(sign_in::begin(&state, &connection.host, purpose).await)
}

/// Signs out, here and at PostHog. Names, order and favourites stay for when somebody comes back.
async fn sign_out(
    Extract(state): Extract<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let Some(connection) = find(&state, id).await? else {
        return Ok(NotFound::Page.answer(&state));
    };
    let sign_in = &state.live().program().sign_in;
    let done = match connection.kind {
        CredentialKind::OAuth => sign_in.sign_out(&connection.id).await,
        CredentialKind::ApiKey => {
            let removed = sign_in.remove(&connection.id).await;
            removed.map(|()| Revocation::NotNeeded)
        }
    };
    let revocation = match done {
        Ok(revocation) => revocation,
        Err(error) => {
            say(
                &state,
                Tone::Bad,
                format!("Not signed out. {}", sentence(error)),
            );
            return Ok(see_other("/connections"));
        }
    };
    state.forget_projects(connection.id.clone()).await;
    let what = match connection.kind {
        CredentialKind::OAuth => "Signed out of",
        CredentialKind::ApiKey => "The API key was removed:",
    };
    let host = connection.host.name();
    let unrevoked = match revocation {
        Revocation::Failed => format!(
            " {host} did not confirm that access was revoked, so it may stay valid until it expires. To end it \
             now, remove PocketHog at {}.",
            removal_page(&connection)
        ),
        Revocation::Done | Revocation::NotNeeded => String::new(),
    };
    let text = format!(
        "{what} {host}. Names, order, favourites and colours of its projects are kept.{unrevoked}"
    );
    leave(&state, &connection, text)
}

/// Takes a signed-out Connection off the list.
async fn remove(
    Extract(state): Extract<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let Some(connection) = find(&state, id).await? else {
        return Ok(NotFound::Page.answer(&state));
    };
    if connection.is_active() {
        say(&state, Tone::Warn, "Sign out first.");
        return Ok(see_other("/connections"));
    }
    match state.live().program().sign_in.remove(&connection.id).await {
        Ok(()) => {
            state.forget_projects(connection.id.clone()).await;
            leave(
                &state,
                &connection,
                format!("{} was removed from the list.", connection.host.name()),
            )
        }
        Err(error) => {
            say(
                &state,
                Tone::Bad,
                format!("Not removed. {}", sentence(error)),
            );
            Ok(see_other("/connections"))
        }
    }
}

/// Where to go when a Connection has ended: home shows the sign-in screen if it was the last one. What
/// is open in other windows decides for itself whether it has anything left to show.
fn leave(state: &Arc<State>, ended: &Connection, text: String) -> Result<Response, PageError> {
    say(state, Tone::Good, text);
    state.live().announce(Change::SignedOut(ended.id.clone()));
    state.live().announce(Change::Projects);
    let left = state
        .live()
        .connections()?
        .iter()
        .any(Connection::is_active);
    Ok(see_other(if left { "/connections" } else { "/" }))
}

async fn find(state: &Arc<State>, id: String) -> Result<Option<Connection>, PageError> {
    let connections = state.blocking(|state| state.live().connections()).await?;
    Ok(connections
        .into_iter()
        .find(|connection| connection.id.as_str() == id))
}

fn say(state: &State, tone: Tone, text: impl Into<String>) {
    state.say(Notice {
        tone,
        text: text.into(),
        action: None,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_named_while_it_is_short() {
        let names = |count: usize| (0..count).map(|n| format!("P{n}")).collect::<Vec<_>>();
        assert_eq!(with_names("2 projects", &names(2)), "2 projects: P0, P1");
        assert_eq!(with_names("9 projects", &names(9)), "9 projects");
        assert_eq!(reach(&Reach::Projects(vec![1]), &[]), "1 project");
    }
}
