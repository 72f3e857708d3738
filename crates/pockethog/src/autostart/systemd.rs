//! A service of the user's systemd.
//!
//! Packages bring the unit. Without a package, or if the program is to find variables, a unit of the user's own is
//! written. It is enabled by the link that `systemctl --user enable` makes: by hand, so that it works in a terminal
//! that cannot reach the user's manager, and starts with the next session then.

use std::fs;
use std::path::{Path, PathBuf};

use super::step::{Failure, MARK, Step, is_ours};
use super::{Autostart, Service, Status};
use crate::install::systemd_quoted;
use crate::system_program::{self, TO_ANSWER};

/// The unit of the page, as packages install it.
const UNIT: &str = include_str!("pockethog.service");

pub(super) fn on(autostart: &Autostart, services: &[&Service]) -> Vec<Step> {
    let mut steps = Vec::new();
    for service in services {
        let own = own_unit(autostart, service);
        let unit = if let Some(packaged) = packaged(autostart, service) {
            // It would take the place of the package's.
            steps.push(Step::Remove(own));
            packaged
        } else {
            steps.push(Step::Write {
                path: own.clone(),
                text: unit(autostart, service),
            });
            own
        };
        steps.push(Step::Link {
            path: link(autostart, service),
            to: unit,
        });
    }
    steps.push(systemctl("daemon-reload", None, Failure::Later));
    let starts = services.iter();
    steps.extend(starts.map(|service| systemctl("restart", Some(service), Failure::Later)));
    steps
}

pub(super) fn off(autostart: &Autostart, services: &[&Service]) -> Vec<Step> {
    let mut steps = Vec::new();
    for service in services {
        steps.push(systemctl("stop", Some(service), Failure::Harmless));
        steps.push(Step::Remove(link(autostart, service)));
        steps.push(Step::Remove(own_unit(autostart, service)));
    }
    steps.push(systemctl("daemon-reload", None, Failure::Harmless));
    steps
}

pub(super) fn status(autostart: &Autostart, service: &Service) -> Status {
    let link = link(autostart, service);
    let unit = fs::read_link(&link).ok();
    let current = unit.as_ref().is_some_and(|found| {
        let own = own_unit(autostart, service);
        if let Some(packaged) = packaged(autostart, service) {
            *found == packaged && !is_ours(&own)
        } else {
            let wanted = self::unit(autostart, service);
            *found == own && fs::read_to_string(&own).is_ok_and(|text| text == wanted)
        }
    });
    Status {
        name: service.name,
        on: unit.is_some(),
        current,
        running: is_active(&format!("{}.service", service.name)),
        by: unit.unwrap_or(link).display().to_string(),
    }
}

/// `None` if systemd does not answer.
fn is_active(unit: &str) -> Option<bool> {
    let words = ["systemctl", "--user", "is-active", unit];
    let output = system_program::output(&words, TO_ANSWER).ok()?;
    Some(output.status.success())
}

fn systemctl(verb: &str, service: Option<&Service>, failure: Failure) -> Step {
    let unit = service.map(|service| format!("{}.service", service.name));
    let words = ["systemctl", "--user", verb].into_iter();
    let words: Vec<&str> = words.chain(unit.as_deref()).collect();
    Step::run(&words, failure)
}

fn own_unit(autostart: &Autostart, service: &Service) -> PathBuf {
    let folder = autostart.config.join("systemd/user");
    folder.join(format!("{}.service", service.name))
}

/// The link that enables it.
fn link(autostart: &Autostart, service: &Service) -> PathBuf {
    let folder = autostart.config.join("systemd/user/default.target.wants");
    folder.join(format!("{}.service", service.name))
}

/// The unit of a package that starts this very program, if it needs no variables.
fn packaged(autostart: &Autostart, service: &Service) -> Option<PathBuf> {
    if !autostart.environment.is_empty() {
        return None;
    }
    let wanted = autostart.words(service).join(" ");
    let home = autostart.home.display().to_string();
    let starts = |path: &Path| {
        let text = fs::read_to_string(path).ok()?;
        let command = text
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="))?;
        Some(command.replace("%h", &home) == wanted)
    };
    let units = autostart.units.iter();
    units
        .map(|folder| folder.join(format!("{}.service", service.name)))
        .find(|path| starts(path) == Some(true))
}

/// The package's unit with another command.
fn unit(autostart: &Autostart, service: &Service) -> String {
    let mut unit = format!("# {MARK}\n");
    let lines = UNIT.lines().skip_while(|line| line.starts_with('#'));
    for line in lines {
        match line.split_once('=') {
            Some(("Description", _)) => {
                unit += "Description=";
                unit += service.about;
            }
            Some(("ExecStart", _)) => {
                for (name, value) in &autostart.environment {
                    // A dollar is not expanded there.
                    let pair = systemd_quoted(&format!("{name}={value}")).replace("$$", "$");
                    unit += "Environment=";
                    unit += &pair;
                    unit.push('\n');
                }
                unit += "ExecStart=";
                unit += &command(&autostart.words(service));
            }
            _ => unit += line,
        }
        unit.push('\n');
    }
    unit
}

fn command(words: &[String]) -> String {
    let mut quoted = words.iter().map(|word| systemd_quoted(word));
    // A dollar in the path of the program is not expanded either.
    let program = quoted.next().unwrap_or_default().replace("$$", "$");
    let words: Vec<String> = std::iter::once(program).chain(quoted).collect();
    words.join(" ")
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::{autostart, shown};
    use super::super::{SERVICES, System, apply};
    use super::*;

    fn services() -> Vec<&'static Service> {
        SERVICES.iter().collect()
    }

    /// The steps that touch files: no manager is asked in tests.
    fn files(steps: Vec<Step>) -> Vec<Step> {
        let is_file = |step: &Step| !matches!(step, Step::Run { .. });
        steps.into_iter().filter(is_file).collect()
    }

    #[test]
    fn a_program_without_a_package_gets_a_unit_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let autostart = autostart(System::Systemd, root.path());
        insta::assert_snapshot!(shown(&on(&autostart, &services()), root.path()));
        apply(&files(on(&autostart, &services()))).unwrap();
        let status = status(&autostart, &SERVICES[0]);
        assert!(status.on && status.current, "{status:?}");
        let mut moved = autostart.clone();
        moved.program = "/elsewhere/pockethog".into();
        let status = super::status(&moved, &SERVICES[0]);
        assert!(status.on && !status.current, "{status:?}");
        apply(&files(off(&autostart, &services()))).unwrap();
        assert!(!super::status(&autostart, &SERVICES[0]).on);
        assert!(!own_unit(&autostart, &SERVICES[0]).exists());
    }

    #[test]
    fn the_unit_of_the_package_is_enabled_and_nothing_is_written() {
        let root = tempfile::tempdir().unwrap();
        let mut autostart = autostart(System::Systemd, root.path());
        autostart.program = "/usr/bin/pockethog".into();
        // An own unit from before the package.
        apply(&files(on(&autostart, &services()))).unwrap();
        let own = own_unit(&autostart, &SERVICES[0]);
        assert!(own.exists());
        autostart.environment.clear();
        let folder = &autostart.units[0];
        fs::create_dir_all(folder).unwrap();
        let installed = folder.join("pockethog.service");
        fs::write(&installed, UNIT).unwrap();
        let before = status(&autostart, &SERVICES[0]);
        assert!(before.on && !before.current, "{before:?}");
        apply(&files(on(&autostart, &services()))).unwrap();
        let after = status(&autostart, &SERVICES[0]);
        assert!(after.on && after.current, "{after:?}");
        assert!(!own.exists());
        assert_eq!(after.by, installed.display().to_string());
        apply(&files(off(&autostart, &services()))).unwrap();
        assert!(installed.exists());
    }

    #[test]
    fn the_unit_of_the_archive_is_that_of_the_program_below_the_home() {
        let root = tempfile::tempdir().unwrap();
        let mut autostart = autostart(System::Systemd, root.path());
        autostart.environment.clear();
        autostart.program = root.path().join(".local/bin/pockethog");
        let folder = &autostart.units[0];
        fs::create_dir_all(folder).unwrap();
        let text = UNIT.replace("=/usr/bin/", "=%h/.local/bin/");
        fs::write(folder.join("pockethog.service"), text).unwrap();
        assert!(packaged(&autostart, &SERVICES[0]).is_some());
        autostart.program = "/usr/local/bin/pockethog".into();
        assert!(packaged(&autostart, &SERVICES[0]).is_none());
    }
}
