//! An agent of macOS' launchd.

use std::fs;
use std::path::PathBuf;

use super::step::{Failure, MARK, Step};
use super::{Autostart, Service, Status, answer};

pub(super) fn on(autostart: &Autostart, services: &[&Service]) -> Vec<Step> {
    let mut steps = Vec::new();
    for service in services {
        let path = agent_of(autostart, service);
        let domain = format!("gui/{}", autostart.user);
        let target = target(autostart, service);
        steps.push(Step::Write {
            path: path.clone(),
            text: agent(autostart, service),
        });
        // One that is loaded already keeps what it was loaded from.
        let unload = ["launchctl", "bootout", &target];
        steps.push(Step::run(&unload, Failure::Harmless));
        let path = path.display().to_string();
        let load = ["launchctl", "bootstrap", &domain, &path];
        steps.push(Step::run(&load, Failure::Later));
    }
    steps
}

pub(super) fn off(autostart: &Autostart, services: &[&Service]) -> Vec<Step> {
    let mut steps = Vec::new();
    for service in services {
        let target = target(autostart, service);
        let unload = ["launchctl", "bootout", &target];
        steps.push(Step::run(&unload, Failure::Harmless));
        steps.push(Step::Remove(agent_of(autostart, service)));
    }
    steps
}

pub(super) fn status(autostart: &Autostart, service: &Service) -> Status {
    let path = agent_of(autostart, service);
    let text = fs::read_to_string(&path).ok();
    let loaded = answer(&["launchctl", "print", &target(autostart, service)]);
    Status {
        name: service.name,
        on: text.is_some(),
        current: text == Some(agent(autostart, service)),
        running: Some(loaded.is_some_and(|shown| shown.contains("state = running"))),
        by: path.display().to_string(),
    }
}

fn label(service: &Service) -> String {
    format!("io.github.pockethog.{}", service.name)
}

fn target(autostart: &Autostart, service: &Service) -> String {
    format!("gui/{}/{}", autostart.user, label(service))
}

fn agent_of(autostart: &Autostart, service: &Service) -> PathBuf {
    let folder = autostart.home.join("Library/LaunchAgents");
    folder.join(format!("{}.plist", label(service)))
}

/// A property list, described in launchd.plist(5).
fn agent(autostart: &Autostart, service: &Service) -> String {
    let words = autostart.words(service);
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("    <string>{}</string>\n", escaped(word)))
        .collect();
    let pairs: Vec<String> = autostart
        .environment
        .iter()
        .map(|(name, value)| {
            let (name, value) = (escaped(name), escaped(value));
            format!("    <key>{name}</key>\n    <string>{value}</string>\n")
        })
        .collect();
    // The address that is printed at the start signs a browser in, so it is stored nowhere. 63 is the mask 077.
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- {MARK} -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{label}</string>
  <key>ProgramArguments</key>
  <array>
{words}  </array>
  <key>EnvironmentVariables</key>
  <dict>
{pairs}  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>30</integer>
  <key>LimitLoadToSessionType</key>
  <string>Aqua</string>
  <key>StandardOutPath</key>
  <string>/dev/null</string>
  <key>Umask</key>
  <integer>63</integer>
</dict>
</plist>
"#,
        words = words.concat(),
        pairs = pairs.concat(),
        label = label(service),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::{autostart, shown};
    use super::super::{SERVICES, System};
    use super::*;

    #[test]
    fn launchd_gets_an_agent_that_it_loads_at_once() {
        let root = tempfile::tempdir().unwrap();
        let autostart = autostart(System::Launchd, root.path());
        let services: Vec<&Service> = SERVICES.iter().collect();
        let mut steps = on(&autostart, &services);
        steps.extend(off(&autostart, &services));
        insta::assert_snapshot!(shown(&steps, root.path()));
        assert!(!MARK.contains("--"), "a comment of XML must not hold it");
    }
}
