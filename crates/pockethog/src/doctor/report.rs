//! The findings as a text for a bug report, without anything that is somebody's own.
//!
//! What is said about the system and the sign-ins is put together from facts that are known to be harmless. Findings
//! hold sentences of the system and of libraries, so they are searched for what is known and for what looks private.

use std::fmt::Write as _;

use sign_in_with_posthog::{Connection, ConnectionState, CredentialKind};

use super::{Finding, Health};
use crate::autostart::Autostart;
use crate::invocation;
use crate::system_program::{self, TO_ANSWER};
use crate::uninstall::Installed;
use pockethog_core::app_context::{AppContext, StartError};
use pockethog_core::preferences::Preferences;
use pockethog_device::redaction::{Redaction, without_quotes};
use pockethog_views::format::counted;

/// Variables that matter. Their values are not shown.
const VARIABLES: &[&str] = &[
    "POCKETHOG_HOME",
    "POCKETHOG_US_URL",
    "POCKETHOG_EU_URL",
    "POCKETHOG_CLIENT_ID",
    "POCKETHOG_PORT",
    "POCKETHOG_LOG",
    "BROWSER",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "SSH_CONNECTION",
    "WSL_DISTRO_NAME",
];

/// The text.
pub fn report(program: &Result<AppContext, StartError>, findings: &[Finding]) -> String {
    let mut facts = vec![
        ("version", version()),
        ("system", system()),
        ("session", session()),
        (
            "installed",
            Installed::find(&invocation::program()).name().to_owned(),
        ),
        ("variables", or_none(&set_variables())),
    ];
    let mut redaction = Redaction::default();
    hide_environment(&mut redaction);
    if let Ok(program) = program {
        let connections = program.sign_in.connections().unwrap_or_default();
        facts.push(("sign-ins", sign_ins(&connections)));
        facts.push(("projects", projects(program)));
        let (preferences, _) = program.preferences();
        facts.push(("autostart", autostart(&preferences)));
        hide_accounts(&mut redaction, &connections);
        hide_projects(&mut redaction, program, &preferences);
    }
    let mut report = String::from("PocketHog report\n");
    for (what, fact) in facts {
        writeln!(report, "{what:<10} {fact}").ok();
    }
    report.push('\n');
    for finding in findings {
        let sign = match finding.health {
            Health::Ok => "ok  ",
            Health::Warn => "warn",
            Health::Fail => "fail",
        };
        // The parser of that file quotes what somebody wrote.
        let saw = match finding.what.as_str() {
            "Preferences" => without_quotes(&finding.saw),
            _ => finding.saw.clone(),
        };
        let (what, saw) = (redaction.apply(&finding.what), redaction.apply(&saw));
        writeln!(report, "{sign} {what}: {saw}").ok();
        if let Some(advice) = &finding.advice {
            writeln!(report, "     → {}", redaction.apply(advice)).ok();
        }
    }
    report
}

fn version() -> String {
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    format!("{} ({build})", env!("CARGO_PKG_VERSION"))
}

fn system() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut parts = Vec::new();
    if cfg!(target_os = "linux") {
        let release = read("/etc/os-release");
        let name = release.lines().find_map(|line| {
            let name = line.strip_prefix("PRETTY_NAME=")?;
            Some(name.trim_matches('"').to_owned())
        });
        parts.extend(name);
        let kernel = read("/proc/sys/kernel/osrelease");
        // What follows the numbers may be the name of a company that builds its own.
        let numbers = kernel.trim().split(['-', '+', '_']).next();
        parts.extend(numbers.map(|numbers| format!("Linux {numbers}")));
        parts.extend(first_line(&["getconf", "GNU_LIBC_VERSION"]));
    } else if cfg!(target_os = "macos") {
        let version = first_line(&["sw_vers", "-productVersion"]);
        parts.push(format!("macOS {}", version.unwrap_or_default()));
    } else {
        parts.push(first_line(&["cmd", "/c", "ver"]).unwrap_or_else(|| "Windows".to_owned()));
    }
    parts.push(std::env::consts::ARCH.to_owned());
    parts.join(", ")
}

/// The first line that is not empty of what a program of the system prints.
fn first_line(words: &[&str]) -> Option<String> {
    let output = system_program::output(words, TO_ANSWER).ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.to_owned())
}

fn session() -> String {
    let short = |name: &str| {
        let value = std::env::var(name).ok()?;
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-:.@".contains(letter);
        (!value.is_empty() && value.len() < 40 && value.chars().all(is_plain)).then_some(value)
    };
    let parts = ["XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE", "LANG"];
    or_none(&parts.into_iter().filter_map(short).collect::<Vec<_>>())
}

fn set_variables() -> Vec<&'static str> {
    let is_set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    VARIABLES.iter().filter(is_set).copied().collect()
}

fn or_none<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        words => words.join(", "),
    }
}

fn sign_ins(connections: &[Connection]) -> String {
    let mut words = Vec::new();
    for (nth, connection) in connections.iter().enumerate() {
        let host = match connection.host.region() {
            Some(_) => connection.host.name(),
            None => self_hosted(nth),
        };
        let kind = match connection.kind {
            CredentialKind::OAuth => "browser",
            CredentialKind::ApiKey => "API key",
        };
        let state = match connection.state {
            ConnectionState::Active => "active".to_owned(),
            ConnectionState::Ended(reason) => format!("ended: {}", reason.sentence()),
        };
        words.push(format!("{host} by {kind} ({state})"));
    }
    or_none(&words)
}

fn projects(program: &AppContext) -> String {
    let projects = program
        .snapshots()
        .and_then(|snapshots| snapshots.projects());
    match projects {
        Ok(projects) => counted(projects.len(), "project", "projects"),
        Err(_) => "not readable".to_owned(),
    }
}

fn autostart(preferences: &Preferences) -> String {
    match Autostart::of_this_device() {
        Ok(autostart) => {
            let services = autostart.status(preferences);
            let on = services.iter().filter(|service| service.on);
            let names: Vec<&str> = on.map(|service| service.name).collect();
            format!("{} by {}", or_none(&names), autostart.system().name())
        }
        Err(_) => "not possible".to_owned(),
    }
}

fn self_hosted(nth: usize) -> String {
    format!("self-hosted {}", nth + 1)
}

fn hide_environment(redaction: &mut Redaction) {
    let mut hide = |name: &str, shown: &str| {
        if let Ok(value) = std::env::var(name) {
            redaction.hide(value.trim_end_matches('/'), shown);
        }
    };
    hide("HOME", "~");
    hide("USERPROFILE", "~");
    for user in ["USER", "LOGNAME", "USERNAME", "SUDO_USER"] {
        hide(user, "(user)");
    }
    for host in ["HOSTNAME", "COMPUTERNAME"] {
        hide(host, "(this device)");
    }
    for name in VARIABLES {
        hide(name, &format!("${name}"));
    }
    if let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        redaction.hide(&name, "(this device)");
    }
    let home = std::env::var("HOME").unwrap_or_default();
    if let Some((_, user)) = home.trim_end_matches('/').rsplit_once('/') {
        redaction.hide(user, "(user)");
    }
}

fn hide_accounts(redaction: &mut Redaction, connections: &[Connection]) {
    for (nth, connection) in connections.iter().enumerate() {
        let number = nth + 1;
        let account = &connection.account;
        let person = format!("account {number}");
        redaction.hide(&account.subject, &person);
        for name in [&account.name, &account.email].into_iter().flatten() {
            redaction.hide(name, &person);
        }
        redaction.hide(connection.id.as_str(), &format!("connection {number}"));
        let host = &connection.host;
        let shown = match host.region() {
            Some(region) => region.key().to_owned(),
            None => self_hosted(nth),
        };
        let name = host.base_url().host_str().unwrap_or_default().to_owned();
        // The addresses of the Clouds are no secret, unless they were replaced.
        if !name.ends_with(".posthog.com") {
            for address in [host.issuer(), host.authority(), name] {
                redaction.hide(&address, &shown);
            }
        }
    }
}

fn hide_projects(redaction: &mut Redaction, program: &AppContext, preferences: &Preferences) {
    let stored = program
        .snapshots()
        .and_then(|snapshots| snapshots.projects())
        .unwrap_or_default();
    for project in &stored {
        let names = [
            Some(&project.name),
            project.organization.as_ref(),
            project.organization_name.as_ref(),
            project.website.as_ref(),
        ];
        for name in names.into_iter().flatten() {
            redaction.hide(name, "(project)");
        }
    }
    for project in preferences.projects.values() {
        for name in project.name.iter().chain(&project.conversions) {
            redaction.hide(name, "(project)");
        }
    }
}
