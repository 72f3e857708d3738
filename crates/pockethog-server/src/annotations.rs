//! Annotations: adding, editing, deleting, bringing back. What was typed is never lost: where an annotation
//! cannot be saved, the answer is the page with the form as it was and the reason.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use posthog_api::Error;
use posthog_api::error::Forbidden;
use serde::Deserialize;

use super::guard::Admitted;
use super::project::{Located, address, locate, range_of, view};
use super::{NotFound, PageError, State, page, see_other};
use pockethog_core::annotations::{self, Annotation, Annotations, ChangeError, Draft, DraftError};
use pockethog_core::live::Change;
use pockethog_core::overview::Range;
use pockethog_core::project::ProjectKey;
use pockethog_core::snapshot::View;
use pockethog_views::pages::annotations::AnnotationDialog;
use pockethog_views::pages::layout::{Notice, Tone};
use pockethog_views::pages::project;
use pockethog_views::sentence::sentence;

/// What becomes of annotations.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/project/{host}/{id}/annotations", post(add))
        .route("/project/{host}/{id}/annotations/{note}", post(edit))
        .route(
            "/project/{host}/{id}/annotations/{note}/delete",
            post(delete),
        )
        .route("/project/{host}/{id}/annotations/{note}/undo", post(undo))
}

/// An annotation as it was form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AnnotationForm {
    range: String,
    version: String,
    text: String,
    date: String,
    time: String,
}

impl AnnotationForm {
    fn range(&self) -> Range {
        range_of(&self.range)
    }

    fn draft(&self, zone: &TimeZone) -> Result<Draft, DraftError> {
        Draft::parse(&self.text, &self.date, &self.time, zone, Timestamp::now())
    }

    fn dialog(self, id: Option<u64>, error: String) -> AnnotationDialog {
        AnnotationDialog {
            id,
            version: self.version,
            text: self.text,
            date: self.date,
            time: self.time,
            error: Some(error),
            theirs: None,
        }
    }
}

async fn add(
    state: Admitted,
    Path(path): Path<(String, String)>,
    Form(form): Form<AnnotationForm>,
) -> Result<Response, PageError> {
    let Some(located) = find(&state, path).await? else {
        return Ok(NotFound::Project.answer(&state));
    };
    let range = form.range();
    let zone = located.zone();
    let draft = match form.draft(&zone) {
        Ok(draft) => draft,
        Err(error) => {
            let dialog = form.dialog(None, error.to_string());
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return refuse(&state, located, range, status, dialog).await;
        }
    };
    let client = state.live().program().client(&located.connection);
    match annotations::add(&client, located.project.key.id, &draft).await {
        Ok(annotation) => {
            saved(&state, &located, &draft, Some(annotation)).await;
            Ok(see_other(&format!(
                "{}&saved=new",
                address(&located.project.key, range)
            )))
        }
        Err(error) => {
            let status = status_of(&error);
            let dialog = form.dialog(None, not_saved(&error));
            refuse(&state, located, range, status, dialog).await
        }
    }
}

async fn edit(
    state: Admitted,
    Path((host, project, id)): Path<(String, String, u64)>,
    Form(form): Form<AnnotationForm>,
) -> Result<Response, PageError> {
    let Some(located) = find(&state, (host, project)).await? else {
        return Ok(NotFound::Project.answer(&state));
    };
    let range = form.range();
    let zone = located.zone();
    let draft = match form.draft(&zone) {
        Ok(draft) => draft,
        Err(error) => {
            let dialog = form.dialog(Some(id), error.to_string());
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return refuse(&state, located, range, status, dialog).await;
        }
    };
    let client = state.live().program().client(&located.connection);
    let key = located.project.key.clone();
    let changed = annotations::edit(&client, key.id, id, &form.version, &draft, &zone).await;
    let (status, dialog) = match changed {
        Ok(annotation) => {
            saved(&state, &located, &draft, Some(annotation)).await;
            return Ok(see_other(&format!("{}&saved={id}", address(&key, range))));
        }
        Err(ChangeError::Conflict(theirs)) => {
            let error = "Somebody else has changed this annotation in the meantime. Nothing has been saved yet: keep their version, or replace it with yours.";
            let mut dialog = form.dialog(Some(id), error.to_owned());
            dialog.version.clone_from(&theirs.version);
            store(&state, &key, id, Some((*theirs).clone())).await;
            dialog.theirs = Some(*theirs);
            (StatusCode::CONFLICT, dialog)
        }
        Err(ChangeError::Gone) => {
            store(&state, &key, id, None).await;
            let error = "This annotation has been deleted in the meantime. Your text is kept here: add it as a new annotation, or cancel.";
            (StatusCode::CONFLICT, form.dialog(None, error.to_owned()))
        }
        Err(ChangeError::Api(error)) => {
            (status_of(&error), form.dialog(Some(id), not_saved(&error)))
        }
        Err(error) => (StatusCode::CONFLICT, form.dialog(Some(id), sentence(error))),
    };
    refuse(&state, located, range, status, dialog).await
}

async fn delete(
    state: Admitted,
    Path((host, project, id)): Path<(String, String, u64)>,
    Form(form): Form<AnnotationForm>,
) -> Result<Response, PageError> {
    let Some(located) = find(&state, (host, project)).await? else {
        return Ok(NotFound::Project.answer(&state));
    };
    let range = form.range();
    let client = state.live().program().client(&located.connection);
    let key = located.project.key.clone();
    match annotations::delete(&client, key.id, id).await {
        Ok(Some(annotation)) => {
            store(&state, &key, id, None).await;
            state.deleted_annotations().put(key.clone(), annotation);
            Ok(see_other(&format!("{}&deleted={id}", address(&key, range))))
        }
        Ok(None) => {
            store(&state, &key, id, None).await;
            say(
                &state,
                Tone::Plain,
                "This annotation had already been deleted.",
            );
            Ok(see_other(&address(&key, range)))
        }
        Err(error) => {
            say(
                &state,
                Tone::Bad,
                format!("The annotation was not deleted. {}", sentence(error)),
            );
            Ok(see_other(&address(&key, range)))
        }
    }
}

async fn undo(
    state: Admitted,
    Path((host, project, id)): Path<(String, String, u64)>,
    Form(form): Form<AnnotationForm>,
) -> Result<Response, PageError> {
    let Some(located) = find(&state, (host, project)).await? else {
        return Ok(NotFound::Project.answer(&state));
    };
    let key = &located.project.key;
    let back = address(key, form.range());
    let client = state.live().program().client(&located.connection);
    match annotations::bring_back(&client, key.id, id).await {
        Ok(annotation) => {
            state.deleted_annotations().take(key, id);
            store(&state, key, id, annotation).await;
            Ok(see_other(&format!("{back}&restored={id}")))
        }
        Err(error) => {
            say(
                &state,
                Tone::Bad,
                format!("The annotation was not restored. {}", sentence(error)),
            );
            Ok(see_other(&format!("{back}&deleted={id}")))
        }
    }
}

async fn find(state: &Arc<State>, path: (String, String)) -> Result<Option<Located>, PageError> {
    state.blocking(move |state| locate(state, &path)).await
}

/// The page with the form as it was form.
async fn refuse(
    state: &Admitted,
    located: Located,
    range: Range,
    status: StatusCode,
    dialog: AnnotationDialog,
) -> Result<Response, PageError> {
    state
        .blocking(move |state| {
            let mut view = view(state, &located, range, state.shell())?;
            view.dialog = Some(dialog);
            Ok((status, page(project::render(&view))).into_response())
        })
        .await
}

/// Shows what was saved, and says what a person would not expect of it.
async fn saved(
    state: &Arc<State>,
    located: &Located,
    draft: &Draft,
    annotation: Option<Annotation>,
) {
    let zone = located.zone();
    if let Some(remark) = draft.remark(&zone) {
        say(state, Tone::Plain, remark);
    }
    let id = annotation.as_ref().map_or(0, |annotation| annotation.id);
    store(state, &located.project.key, id, annotation).await;
}

/// Puts an annotation into the Snapshot, or takes it out, without asking for all of them again.
async fn store(state: &Arc<State>, key: &ProjectKey, id: u64, annotation: Option<Annotation>) {
    let key = key.clone();
    state
        .blocking(move |state| {
            let mut snapshots = state.live().snapshots();
            let known: Option<Annotations> = snapshots.view(&key, View::Annotations).ok().flatten();
            let Some(mut known) = known else {
                return;
            };
            known.put(id, annotation, Timestamp::now());
            if let Err(error) = snapshots.put(&key, &known) {
                tracing::warn!(%error, "an annotation will be shown after the next refresh");
            }
            drop(snapshots);
            state.live().announce(Change::Annotations(key));
        })
        .await;
    state.live().refresher().hurry();
}

fn not_saved(error: &Error) -> String {
    let why = match error {
        Error::Forbidden(Forbidden::MissingScope(scope)) => {
            format!("The permission {scope} was not granted; grant it on the Connections page.")
        }
        other => sentence(other),
    };
    format!("The annotation was not saved, but your text is kept here. {why}")
}

fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::RateLimited { .. } | Error::ReadBudget { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    }
}

fn say(state: &State, tone: Tone, text: impl Into<String>) {
    state.say(Notice {
        tone,
        text: text.into(),
        action: None,
    });
}
