//! The menu of a card: changes one preference of one project and leaves the others as they are.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State as Extract};
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;

use super::answer::local;
use super::project::{Located, locate, not_saved};
use super::{NotFound, PageError, State, see_other};
use pockethog_core::live::Change;
use pockethog_core::preferences::ProjectPreferences;
use pockethog_core::project::Project;
use pockethog_views::pages::card::card_id;

/// `/project/HOST/ID/card`.
pub fn routes() -> Router<Arc<State>> {
    Router::new().route("/project/{host}/{id}/card", post(change))
}

/// What a form of a card says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CardForm {
    back: String,
    change: Option<OneThing>,
    name: String,
}

/// The one thing to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OneThing {
    Favour,
    Unfavour,
    Hide,
    Show,
    Rename,
}

impl OneThing {
    fn apply(self, project: &Project, name: &str, chosen: &mut ProjectPreferences) {
        match self {
            Self::Favour => chosen.favourite = true,
            Self::Unfavour => chosen.favourite = false,
            Self::Hide => chosen.hidden = true,
            Self::Show => chosen.hidden = false,
            Self::Rename => chosen.rename(name, &project.name),
        }
    }
}

async fn change(
    Extract(state): Extract<Arc<State>>,
    Path(path): Path<(String, String)>,
    Form(form): Form<CardForm>,
) -> Result<Response, PageError> {
    state
        .blocking(move |state| {
            let Some(Located { project, .. }) = locate(state, &path)? else {
                return Ok(NotFound::Project.answer(state));
            };
            let back = local(&form.back).unwrap_or("/");
            let Some(one) = form.change else {
                return Ok(see_other(back));
            };
            let saved = state.live().prefer(|preferences| {
                one.apply(&project, &form.name, preferences.project_mut(&project.key));
            });
            if let Err(error) = saved {
                state.say(not_saved(error));
                return Ok(see_other(back));
            }
            state.live().announce(Change::Projects);
            Ok(see_other(&if one == OneThing::Hide {
                let sign = if back.contains('?') { '&' } else { '?' };
                format!("{back}{sign}hid={}", project.key)
            } else {
                format!("{back}#{}", card_id(&project.key))
            }))
        })
        .await
}
