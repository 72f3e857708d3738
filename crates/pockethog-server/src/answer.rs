//! What handlers respond with: pages, redirects, and the error page.

use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::Markup;

use super::State;
use pockethog_core::live::StoredError;
use pockethog_views::pages::message::{self, Message};

/// A page.
pub fn page(markup: Markup) -> Response {
    Html(markup.into_string()).into_response()
}

/// 303 after a form was taken: the browser reads `path` next, and a reload repeats nothing.
pub fn see_other(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path.to_owned())]).into_response()
}

/// What was asked for is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// No such address.
    Page,
    /// No Connection reaches this project.
    Project,
}

/// Why there is no page, as a page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The Snapshots cannot be read.
    #[error(transparent)]
    Snapshots(#[from] pockethog_core::snapshot::SnapshotError),
    /// The list of Connections cannot be read.
    #[error(transparent)]
    Connections(#[from] sign_in_with_posthog::IndexError),
}

impl From<StoredError> for PageError {
    fn from(error: StoredError) -> Self {
        match error {
            StoredError::Snapshots(error) => Self::Snapshots(error),
            StoredError::Connections(error) => Self::Connections(error),
        }
    }
}

impl NotFound {
    /// The page that says so, 404.
    pub fn answer(self, state: &State) -> Response {
        let shell = state.plain_shell();
        let view = match self {
            Self::Page => message::not_found(shell),
            Self::Project => message::unknown_project(shell),
        };
        (StatusCode::NOT_FOUND, page(message::render(&view))).into_response()
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let view = Message {
            title: "This page could not be shown".to_owned(),
            text: self.to_string(),
            actions: vec![("Try again".to_owned(), "/".to_owned())],
            ..Message::default()
        };
        said(StatusCode::INTERNAL_SERVER_ERROR, view)
    }
}

/// The page of a message that was made by someone who knows nothing of the app.
pub(super) fn said(status: StatusCode, view: Message) -> Response {
    let mut response = (status, page(message::render(&view))).into_response();
    response.extensions_mut().insert(Said(view));
    response
}

/// The message that a page was made of.
#[derive(Clone, Debug)]
struct Said(Message);

/// The same answer, which says in a demo that it is one, whoever made it.
pub(super) fn of_demo(is_demo: bool, mut response: Response) -> Response {
    match response.extensions_mut().remove::<Said>() {
        Some(Said(mut view)) if is_demo => {
            view.shell.demo = true;
            (response.status(), page(message::render(&view))).into_response()
        }
        _ => response,
    }
}

/// Any address that leads nowhere.
pub async fn not_found(Extract(state): Extract<Arc<State>>) -> Response {
    NotFound::Page.answer(&state)
}

/// The path of a page of ours; a form cannot lead to another site.
pub(super) fn local(path: &str) -> Option<&str> {
    let ours = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(['\\', '\n', '\r', '\t'])
        && path.is_ascii();
    ours.then_some(path)
}
