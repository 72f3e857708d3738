//! Starting PocketHog with the user's session: by systemd, by the desktop, by launchd, or by Windows' Run key.
//!
//! What there is to do is made as a list of [`Step`]s before anything is touched, so that what is done on each system
//! is checked on every system. A file that somebody else made is neither replaced nor removed.

mod desktop;
mod launchd;
mod run_key;
mod step;
mod systemd;

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use serde::Serialize;

use crate::install::{InstallError, PlanError};
use crate::invocation;
use crate::system_program::{self, TO_ANSWER};
use pockethog_core::preferences::Preferences;
pub use step::{AutostartError, Outcome, Step, apply};

/// Something that is started with the session.
#[derive(Debug)]
pub struct Service {
    /// What files and units are called.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// What follows the program.
    arguments: &'static [&'static str],
    /// Whether there is something for it to do.
    is_wanted: fn(&Preferences) -> bool,
}

/// Everything that can be started with the session. The app tells alerts while it runs, so `watch` is not needed beside
/// it.
const SERVICES: &[Service] = &[Service {
    name: "pockethog",
    about: "PocketHog, your PostHog projects at a glance",
    arguments: &["--no-browser"],
    is_wanted: |_| true,
}];

/// Which part of the system starts programs with the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// systemd's manager of the user's services.
    Systemd,
    /// The desktop, by an entry of the freedesktop.org specification.
    Desktop,
    /// macOS.
    Launchd,
    /// Windows.
    RunKey,
}

/// How PocketHog is started with the session on this device.
#[derive(Clone, Debug)]
pub struct Autostart {
    system: System,
    /// The `pockethog` program.
    program: PathBuf,
    /// `POCKETHOG_` variables that it is to find.
    environment: Vec<(String, String)>,
    home: PathBuf,
    /// The folder of configurations.
    config: PathBuf,
    /// Folders in which packages install units for systemd.
    units: Vec<PathBuf>,
    /// The number of the user, for launchd.
    user: String,
}

/// How it is with one of the services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The service.
    pub name: &'static str,
    /// Whether it starts with the session.
    pub on: bool,
    /// Whether it would be the same after `autostart on`: a moved or updated program may want another file.
    pub current: bool,
    /// Whether the system says that it runs now; `None` if it does not know.
    pub running: Option<bool>,
    /// The file or registry key that starts it.
    pub by: String,
}

impl Autostart {
    /// For this program, as the environment of this process says.
    ///
    /// # Errors
    ///
    /// No home folder, or a path that is no text.
    pub fn of_this_device() -> Result<Self, AutostartError> {
        let places = etcetera::choose_base_strategy().map_err(|_| AutostartError::NoHome)?;
        let mut units = vec![places.data_dir().join("systemd/user")];
        units.extend(["/etc", "/usr/local/lib", "/usr/lib"].map(|folder| {
            let folder = Path::new(folder);
            folder.join("systemd/user")
        }));
        let system = System::of_this_device();
        let autostart = Self {
            system,
            program: invocation::program(),
            environment: invocation::environment()?,
            home: places.home_dir().to_owned(),
            config: places.config_dir(),
            units,
            user: match system {
                System::Launchd => answer(&["id", "-u"]).unwrap_or_default(),
                _ => String::new(),
            },
        };
        autostart.check()?;
        Ok(autostart)
    }

    /// Which part of the system is used.
    pub fn system(&self) -> System {
        self.system
    }

    /// What starts everything that `preferences` want with each session from now on, and now if that can be.
    ///
    /// # Errors
    ///
    /// What cannot be written into the system's file.
    pub fn on(&self, preferences: &Preferences) -> Result<Vec<Step>, AutostartError> {
        let services = wanted(preferences);
        let mut steps = match self.system {
            System::Systemd => systemd::on(self, &services),
            System::Desktop => desktop::on(self, &services),
            System::Launchd => launchd::on(self, &services),
            System::RunKey => run_key::on(self, &services)?,
        };
        let others: Vec<&Service> = SERVICES
            .iter()
            .filter(|service| !services.iter().any(|wanted| wanted.name == service.name))
            .collect();
        if !others.is_empty() {
            steps.splice(0..0, self.stop(&others));
        }
        Ok(steps)
    }

    /// What undoes it.
    pub fn off(&self) -> Vec<Step> {
        self.stop(&SERVICES.iter().collect::<Vec<_>>())
    }

    fn stop(&self, services: &[&Service]) -> Vec<Step> {
        match self.system {
            System::Systemd => systemd::off(self, services),
            System::Desktop => desktop::off(self, services),
            System::Launchd => launchd::off(self, services),
            System::RunKey => run_key::off(services),
        }
    }

    /// How it is now with everything that `preferences` want.
    pub fn status(&self, preferences: &Preferences) -> Vec<Status> {
        let services = wanted(preferences);
        let status = services.into_iter().map(|service| match self.system {
            System::Systemd => systemd::status(self, service),
            System::Desktop => desktop::status(self, service),
            System::Launchd => launchd::status(self, service),
            System::RunKey => run_key::status(self, service),
        });
        status.collect()
    }

    /// Files of the system are made of lines, and escapes for what ends one differ or are missing.
    fn check(&self) -> Result<(), AutostartError> {
        let program = invocation::text_of(&self.program)?;
        let words = self.environment.iter().map(|(_, value)| value);
        for word in words.chain([&program]) {
            if word.chars().any(char::is_control) {
                let what = word.escape_debug().to_string();
                return Err(InstallError::from(PlanError::Control { what }).into());
            }
        }
        Ok(())
    }

    /// The program and what follows it.
    fn words(&self, service: &Service) -> Vec<String> {
        let program = self.program.display().to_string();
        let arguments = service.arguments.iter().map(|&word| word.to_owned());
        std::iter::once(program).chain(arguments).collect()
    }
}

impl System {
    fn of_this_device() -> Self {
        if cfg!(target_os = "macos") {
            Self::Launchd
        } else if cfg!(windows) {
            Self::RunKey
        } else if is_on_path("systemctl") {
            Self::Systemd
        } else {
            Self::Desktop
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Desktop => "the desktop",
            Self::Launchd => "launchd",
            Self::RunKey => "Windows",
        }
    }
}

fn wanted(preferences: &Preferences) -> Vec<&'static Service> {
    let services = SERVICES.iter();
    services
        .filter(|service| (service.is_wanted)(preferences))
        .collect()
}

fn is_on_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// What a program of the system prints, if it says that it has done what it was asked.
fn answer(words: &[&str]) -> Option<String> {
    let output = system_program::output(words, TO_ANSWER).ok()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| printed.trim().to_owned())
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// Ada's device below `root`, with a program that needs quotes.
    pub(crate) fn autostart(system: System, root: &Path) -> Autostart {
        Autostart {
            system,
            program: "/opt/my tools/pockethog".into(),
            environment: vec![("POCKETHOG_HOME".into(), "/srv/50% \"hog\" & $co".into())],
            home: root.to_owned(),
            config: root.join(".config"),
            units: vec![root.join("usr/lib/systemd/user")],
            user: "501".to_owned(),
        }
    }

    /// The steps as text, with `~` for `root`.
    pub(crate) fn shown(steps: &[Step], root: &Path) -> String {
        let lines: Vec<String> = steps.iter().map(ToString::to_string).collect();
        lines.join("\n").replace(&root.display().to_string(), "~")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_path_that_would_add_a_line_to_the_systems_file_is_refused() {
        for word in ["/srv/a\nExecStart=/bin/false", "/srv/a\rb", "/srv/a\u{1b}b"] {
            let mut autostart = samples::autostart(System::Systemd, Path::new("/home/ada"));
            autostart.environment = vec![("POCKETHOG_HOME".into(), word.into())];
            let refused = autostart.check().unwrap_err();
            assert!(
                refused.to_string().contains("control character"),
                "{refused}"
            );
        }
    }

    #[test]
    fn the_page_is_always_wanted() {
        let names: Vec<&str> = wanted(&Preferences::default())
            .iter()
            .map(|service| service.name)
            .collect();
        assert_eq!(names, ["pockethog"]);
    }
}
