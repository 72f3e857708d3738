//! `pockethog demo`: the app on an embedded PostHog with invented data.
//!
//! It has a home of its own, so that nothing of it mixes with real sign-ins: a temporary folder, or
//! `POCKETHOG_HOME` where that is empty or was a demo's before.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use demo_posthog::{Demo, Options};
use tempfile::TempDir;

use super::app::{self, AppOptions};
use super::console::{CliError, Console, Exit};
use crate::accounts::Clouds;
use crate::folders::{Folders, home_from_environment};
use crate::private_files::{make_file, make_folder};
use crate::program::Program;
use crate::server::{Launch, launch};

/// Marks a home as the demo's: everything in it may be thrown away.
const MARK: &str = "demo-home";

/// Starts the embedded PostHog and the app on it.
///
/// # Errors
///
/// A port or a folder that cannot be used.
pub async fn run(console: &Console, options: AppOptions) -> Result<Exit, CliError> {
    let end = app::end()?;
    let home = Home::find()?;
    let demo = Demo::start(Options::default()).await?;
    let clouds = Clouds::at(demo.us().address(), demo.eu().address())?;
    let program = Program::open_apart(Folders::below(home.path().to_owned()), clouds)?;
    match launch(Arc::new(program), options.port()).await? {
        Launch::Running(running) => {
            let address = running.open_address(options.code_life()).await?;
            app::open(console, &address, options);
            console.say("The demo is running already.");
        }
        Launch::New(app) => {
            // Whoever was signed in was so at an embedded PostHog that is gone.
            let sign_in = &app.state().live().program().sign_in;
            for connection in sign_in.connections()? {
                sign_in.remove(&connection.id).await?;
            }
            console.say("A PostHog with invented data runs on this device, and PocketHog on it.");
            console.say(
                "Sign in with US Cloud or EU Cloud, log in as one of the sample people, and authorize.",
            );
            app::serve(app, console, options, end).await?;
        }
    }
    drop(demo);
    Ok(Exit::Done)
}

/// The demo's home.
enum Home {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Home {
    fn find() -> Result<Self, CliError> {
        let Some(given) = home_from_environment() else {
            let folder = tempfile::tempdir()?;
            // It was made as the umask says.
            make_folder(folder.path()).map_err(|error| CliError::failed(error.to_string()))?;
            return Ok(Self::Temporary(folder));
        };
        let unusable = |error: std::io::Error| {
            CliError::failed(format!(
                "{}: {error}; set POCKETHOG_HOME to a folder that PocketHog may write to, or to none",
                given.display()
            ))
        };
        let mark = given.join(MARK);
        let is_empty = match std::fs::read_dir(&given) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => return Err(unusable(error)),
        };
        if !is_empty && !mark.exists() {
            return Err(CliError::usage(format!(
                "POCKETHOG_HOME is {}, which is not the demo’s: it would mix invented data with yours. Unset it, or name an empty folder",
                given.display()
            )));
        }
        make_folder(&given)
            .and_then(|()| make_file(&mark))
            .map_err(|error| CliError::failed(error.to_string()))?;
        std::fs::write(
            &mark,
            "The home of a PocketHog demo. Everything in here is invented.\n",
        )
        .map_err(unusable)?;
        Ok(Self::Given(given))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}
