//! `pockethog open`: a page of the app.

use std::sync::Arc;

use super::app::{self, AppOptions};
use super::console::{CliError, Console, Exit};
use super::select;
use pockethog_core::app_context::AppContext;
use pockethog_core::project::ProjectKey;
use pockethog_server::{Launch, launch};
use pockethog_views::pages::project_path;

/// Open a project's page in the app, which is started if it does not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  pockethog open Acorn
  pockethog open us/12")]
pub struct Open {
    /// The project; all of them without it.
    project: Option<String>,
    #[command(flatten)]
    app: AppOptions,
}

/// Opens the page, and stays if no app runs yet.
///
/// # Errors
///
/// No such project, or a port or a folder that cannot be used.
pub async fn run(program: AppContext, console: &Console, open: Open) -> Result<Exit, CliError> {
    let end = app::end()?;
    let path = match &open.project {
        Some(typed) => project_path(&project(&program, typed)?),
        None => "/".to_owned(),
    };
    match launch(Arc::new(program), open.app.port()).await? {
        Launch::Running(running) => {
            let address = running.open_address_at(open.app.code_life(), &path).await?;
            app::open(console, &address, open.app);
            Ok(Exit::Done)
        }
        Launch::New(new) => app::serve_at(new, console, open.app, end, &path).await,
    }
}

/// A key is taken as it is: the page says if there is no such project.
fn project(program: &AppContext, typed: &str) -> Result<ProjectKey, CliError> {
    let projects = program.snapshots()?.projects()?;
    let (preferences, _) = program.preferences();
    match select::project(typed, &projects, &preferences) {
        Ok(project) => Ok(project.key.clone()),
        Err(not_found) => select::key(typed).ok_or_else(|| not_found.into()),
    }
}
