//! `pockethog demo`: the app on an embedded PostHog with invented data.
//!
//! It has a home of its own, so that nothing of it mixes with real sign-ins: a temporary folder, or
//! `POCKETHOG_HOME` if that is empty or was a demo's before. See [`pockethog_core::demo_home`].

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use demo_posthog::{ApiKeyOptions, Demo, Options};

use super::app::{self, AppOptions};
use super::console::{CliError, Console, Exit, Text};
use crate::invocation;
use pockethog_core::app_context::AppContext;
use pockethog_core::demo_home::{Addresses, DemoHome, DemoHomeError, Taken};
use pockethog_device::folders::home_from_environment;
use pockethog_device::private_files::quoted;
use pockethog_server::{Launch, launch, running};

/// The slowest answer that can be asked for, in milliseconds: an hour is no demo.
const SLOWEST: u64 = 60_000;

/// How the demo is started.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct DemoOptions {
    #[command(flatten)]
    app: AppOptions,
    /// Delay each response of the embedded PostHogs' API by this many milliseconds. Their pages are not delayed.
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 0,
        hide_default_value = true,
        value_parser = clap::value_parser!(u64).range(..=SLOWEST)
    )]
    latency: u64,
}

/// Starts the embedded PostHog and the app on it.
///
/// # Errors
///
/// A port or a folder that cannot be used.
pub async fn run(console: &Console, options: &DemoOptions) -> Result<Exit, CliError> {
    let end = app::end()?;
    let home = match DemoHome::take(home_from_environment()).map_err(refused)? {
        Taken::New(home) => home,
        Taken::Running(folders) => {
            let app = running(&folders).await?;
            let address = app.open_address(options.app.code_life()).await?;
            app::open(console, &address, options.app);
            console.say("The demo is already running; nothing was changed.");
            return Ok(Exit::Done);
        }
    };
    let posthog = Embedded::start(options).await?;
    let clouds = posthog.addresses.clouds()?;
    let program = AppContext::open_apart(home.folders(), clouds)?;
    match launch(Arc::new(program), options.app.port()).await? {
        // Only a program from before there was a mark would run here.
        Launch::Running(_) => Err(CliError::failed(format!(
            "another running pockethog uses {}; stop it first",
            home.path().display()
        ))),
        Launch::New(app) => {
            // Whoever was signed in was so at an embedded PostHog that is gone.
            let sign_in = &app.state().live().program().sign_in;
            for connection in sign_in.connections()? {
                sign_in.remove(&connection.id).await?;
            }
            home.announce(&posthog.addresses)?;
            posthog.introduce(console, home.path());
            app::serve(app, console, options.app, end).await
        }
    }
}

/// A folder that somebody named and that is in use is wrong usage.
fn refused(error: DemoHomeError) -> CliError {
    match error {
        DemoHomeError::NotTheDemos(_) => CliError::usage(error),
        error => CliError::failed(error),
    }
}

/// The embedded PostHogs. They stop when this is dropped.
struct Embedded {
    _demo: Demo,
    addresses: Addresses,
    /// An API key of the self-hosted one.
    key: String,
}

impl Embedded {
    async fn start(options: &DemoOptions) -> Result<Self, CliError> {
        let demo = Demo::start(Options {
            self_hosted: true,
            ..Options::default()
        })
        .await?;
        let own = demo.self_hosted().unwrap_or(demo.us());
        for instance in [demo.us(), demo.eu(), own] {
            instance.set_latency(Duration::from_millis(options.latency));
        }
        let key = own.create_api_key(ApiKeyOptions {
            label: "PocketHog demo".to_owned(),
            ..ApiKeyOptions::default()
        });
        let addresses = Addresses {
            us: demo.us().address().to_owned(),
            eu: demo.eu().address().to_owned(),
            self_hosted: own.address().to_owned(),
        };
        Ok(Self {
            _demo: demo,
            addresses,
            key,
        })
    }

    /// Says how the demo is used: on its page, from another terminal, and by API key.
    fn introduce(&self, console: &Console, home: &Path) {
        let Self { addresses, key, .. } = self;
        let own = &addresses.self_hosted;
        let command = format!("POCKETHOG_HOME={} {}", quoted(home), called_as());
        console.say("Three PostHogs with invented data are running on this device, and PocketHog shows them.");
        console.say(
            "Sign in with US Cloud or EU Cloud, log in as one of the sample people, and authorize.",
        );
        console.say_whole(
            Text::from("Or use an API key. The address of the demo’s self-hosted PostHog and a key for it:")
                .below("")
                .below(format!("  {own}"))
                .below(format!("  {key}"))
                .below("")
                .below("In another terminal, the first command signs in with the key, and the second shows the numbers:")
                .below("")
                .below(format!("  printf %s {key} | {command} login {own} --api-key"))
                .below(format!("  {command} overview"))
                .below(""),
        );
    }
}

/// The program as a shell finds it from any folder.
fn called_as() -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    match name.to_str() {
        Some(name) if Path::new(name).components().count() == 1 => name.to_owned(),
        _ => quoted(&invocation::program()),
    }
}
