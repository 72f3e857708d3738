//! Choosing conversion events.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawForm, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sign_in_with_posthog::ConnectionState;

use super::project::{Located, address, locate};
use super::{Admitted, NotFound, PageError, State, page, see_other};
use pockethog_core::conversions::{Suggestions, suggest};
use pockethog_core::live::Change;
use pockethog_core::overview::Range;
use pockethog_core::snapshot::View;
use pockethog_views::pages::chooser::{self, Chooser};
use pockethog_views::sentence::sentence;

/// Conversion events per project: each is a branch of the one query that brings a range.
const MOST_EVENTS: usize = 10;

/// How long suggestions are waited for; the page says so and takes names by hand after that.
const PATIENCE: Duration = Duration::from_secs(20);

/// `/project/HOST/ID/conversions`.
pub fn routes() -> Router<Arc<State>> {
    Router::new().route("/project/{host}/{id}/conversions", get(show).post(save))
}

/// The chooser's form: what is ticked travels with a search and from page to page.
#[derive(Debug, Default)]
struct ChooserQuery {
    search: String,
    page: usize,
    /// The range of the project page that it was opened from; without one, that which was looked at last.
    range: Option<Range>,
    /// The ticked events; `None` if the page is opened again.
    events: Option<Vec<String>>,
}

impl ChooserQuery {
    fn parse(form: &[u8]) -> Self {
        let mut asked = Self::default();
        let mut events: Vec<String> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(form) {
            match &*name {
                "search" => asked.search = value.chars().take(200).collect(),
                "page" => asked.page = value.parse().unwrap_or(0),
                "range" => asked.range = Range::from_name(&value),
                "chosen" => asked.events = Some(Vec::new()),
                "event" => {
                    let event = value.trim();
                    if !event.is_empty() && !events.iter().any(|known| known == event) {
                        events.push(event.to_owned());
                    }
                }
                _ => {}
            }
        }
        asked.events = asked.events.map(|_| events);
        asked
    }
}

async fn show(
    state: Admitted,
    Path(path): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let asked = ChooserQuery::parse(query.unwrap_or_default().as_bytes());
    let Some(located) = find(&state, path).await? else {
        return Ok(NotFound::Project.answer(&state));
    };
    Ok(page(draw(&state, &located, asked, None).await))
}

async fn save(
    state: Admitted,
    Path(path): Path<(String, String)>,
    RawForm(form): RawForm,
) -> Result<Response, PageError> {
    let asked = ChooserQuery::parse(&form);
    let Some(located) = find(&state, path).await? else {
        return Ok(NotFound::Project.answer(&state));
    };
    let events = asked.events.clone().unwrap_or_default();
    if events.len() > MOST_EVENTS {
        let error = format!(
            "You chose {} events; a project can show at most {MOST_EVENTS}. Nothing was saved.",
            events.len()
        );
        let answer = page(draw(&state, &located, asked, Some(error)).await);
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, answer).into_response());
    }
    let key = located.project.key.clone();
    let saved = state
        .blocking({
            let key = key.clone();
            move |state| {
                state
                    .live()
                    .prefer(|preferences| preferences.project_mut(&key).conversions = events)
            }
        })
        .await;
    match saved {
        Ok(_) => {
            for range in Range::ALL {
                state
                    .live()
                    .announce(Change::View(key.clone(), View::Period(range)));
            }
            state.live().refresher().hurry();
            let range = asked.range.unwrap_or_else(|| state.last_range());
            Ok(see_other(&address(&key, range)))
        }
        Err(error) => {
            let error = format!("Not saved. {}", sentence(error));
            let answer = page(draw(&state, &located, asked, Some(error)).await);
            Ok((StatusCode::CONFLICT, answer).into_response())
        }
    }
}

async fn find(state: &Arc<State>, path: (String, String)) -> Result<Option<Located>, PageError> {
    state.blocking(move |state| locate(state, &path)).await
}

async fn draw(
    state: &Admitted,
    located: &Located,
    asked: ChooserQuery,
    error: Option<String>,
) -> maud::Markup {
    let (preferences, _) = state.live().preferences();
    let project = &located.project;
    let suggestions = suggestions(state, located, &asked).await;
    chooser::render(&Chooser {
        shell: state.shell(),
        key: project.key.clone(),
        range: asked.range.unwrap_or_else(|| state.last_range()),
        name: preferences.name_of(project).to_owned(),
        chosen: asked
            .events
            .unwrap_or_else(|| preferences.project(&project.key).conversions),
        search: asked.search,
        page: asked.page,
        error,
        suggestions,
    })
}

/// The suggestions, or why there are none and what to do instead.
async fn suggestions(
    state: &Arc<State>,
    located: &Located,
    asked: &ChooserQuery,
) -> Result<Suggestions, String> {
    const BY_HAND: &str = "Type the name of the event instead.";
    if let ConnectionState::Ended(reason) = located.connection.state {
        return Err(format!("{} {BY_HAND}", reason.sentence()));
    }
    if !located.may("event_definition:read") {
        return Err(format!(
            "Events cannot be suggested, because the permission event_definition:read was not granted. {BY_HAND}"
        ));
    }
    let client = state.live().program().client(&located.connection);
    let project = &located.project;
    let found = suggest(
        &client,
        project.key.id,
        project.organization.as_deref(),
        &asked.search,
        asked.page,
    );
    match tokio::time::timeout(PATIENCE, found).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(format!(
            "Events cannot be suggested. {} {BY_HAND}",
            sentence(error)
        )),
        Err(_) => Err(format!(
            "PostHog took too long to list this project’s events. {BY_HAND}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ticked_travels_with_the_search() {
        let asked = ChooserQuery::parse(
            b"chosen=1&search=pay&event=signed_up&event=%20paid&event=signed_up&event=&page=2",
        );
        assert_eq!(
            asked.events.as_deref(),
            Some(&["signed_up".to_owned(), "paid".to_owned()][..])
        );
        assert_eq!((asked.search.as_str(), asked.page), ("pay", 2));
    }

    #[test]
    fn a_page_opened_anew_ticks_what_is_stored() {
        assert_eq!(ChooserQuery::parse(b"").events, None);
        assert_eq!(ChooserQuery::parse(b"chosen=1").events, Some(Vec::new()));
    }
}
