//! Checks the installation and suggests fixes.
//!
//! | module | what it knows |
//! |---|---|
//! | `alerts` | whether alerts reach the person |
//! | `network` | certificates, proxies, hosts and the clock |
//! | `report` | the same findings without it, for a bug report |

mod alerts;
mod network;
mod report;

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use sign_in_with_posthog::{Connection, ConnectionState, VaultBackend, VaultError};

use crate::autostart::Autostart;
use pockethog_core::accounts;
use pockethog_core::age;
use pockethog_core::app_context::{AppContext, StartError};
use pockethog_core::preferences::Preferences;
use pockethog_core::snapshot::{Snapshots, set_aside_before};
use pockethog_device::folders::Folders;
use pockethog_device::private_files::{check_owner, other_owner, quoted, read_small, without_path};
use pockethog_server::find_running;
use pockethog_views::format::{ago, counted};
pub use report::report;

/// More than this is not the address of an app.
const LARGEST_NOTE: u64 = 1 << 16;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Ok,
    /// Usable, and worth a look.
    Warn,
    /// Does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub health: Health,
    /// What was seen, in one sentence.
    pub saw: String,
    /// What to do about it.
    #[serde(rename = "do")]
    pub advice: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>, saw: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            health: Health::Ok,
            saw: saw.into(),
            advice: None,
        }
    }

    fn warn(what: impl Into<String>, saw: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            health: Health::Warn,
            advice: Some(advice.into()),
            ..Self::ok(what, saw)
        }
    }

    fn fail(what: impl Into<String>, saw: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            health: Health::Fail,
            ..Self::warn(what, saw, advice)
        }
    }
}

/// Looks at everything, as far as the program could be opened. Asks the Hosts of the Connections, or both Clouds if
/// nobody is signed in.
pub async fn examine(program: &Result<AppContext, StartError>) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("Version", env!("CARGO_PKG_VERSION"))];
    // Even a look at the folders writes to them.
    if let Err(error @ StartError::Newer(_)) = program {
        findings.push(not_opened(error));
        return findings;
    }
    let known = match program {
        Ok(program) => Some(program.folders.clone()),
        Err(_) => Folders::find().ok(),
    };
    if let Some(known) = known {
        // Looked at first, since it closes what is open to others.
        let snapshots = snapshots(&known);
        findings.extend(folders(&known));
        findings.push(preferences(&known));
        findings.push(snapshots);
        findings.extend(histories(&known));
        findings.push(alerts::alerts(&known));
    }
    let program = match program {
        Ok(program) => program,
        Err(error) => {
            findings.push(not_opened(error));
            return findings;
        }
    };
    findings.extend(network::certificates());
    findings.extend(network::proxy());
    findings.push(running(program).await);
    findings.extend(autostart(program));
    findings.extend(vault(program).await);
    findings.push(locks(program));
    match program.sign_in.connections() {
        Ok(connections) => {
            findings.extend(sign_ins(program, &connections).await);
            findings.extend(network::hosts(program, &connections).await);
        }
        Err(error) => findings.push(Finding::fail(
            "Sign-ins",
            error.to_string(),
            "Move the file away and sign in again.",
        )),
    }
    findings
}

/// Why nothing but the folders could be looked at.
fn not_opened(error: &StartError) -> Finding {
    let advice = match error {
        StartError::Demo(_) => "Until then PocketHog uses defaults.",
        StartError::Cloud(_) => "Correct the variable, or unset it.",
        StartError::Newer(_) => "Nothing else is checked until then.",
        _ => "Once that is fixed, run `pockethog doctor` again to check everything else.",
    };
    Finding::fail("Start", error.to_string(), advice)
}

fn folders(folders: &Folders) -> Vec<Finding> {
    [
        ("Preferences folder", &folders.config, false),
        ("Sign-in folder", &folders.state, true),
        ("Cache folder", &folders.cache, true),
    ]
    .into_iter()
    .map(|(what, path, private)| folder(what, path, private))
    .collect()
}

fn folder(what: &str, path: &Path, private: bool) -> Finding {
    let shown = path.display();
    if let Err(error) = check_owner(path) {
        let advice = "PocketHog stores nothing there.";
        return Finding::fail(what, error.to_string(), advice);
    }
    if !path.exists() {
        return Finding::ok(what, format!("{shown}, not created yet"));
    }
    if let Err(error) = try_to_write(path) {
        return Finding::fail(
            what,
            format!("{shown} cannot be written to: {error}"),
            "Free some space, give yourself write permission, or set POCKETHOG_HOME to another folder.",
        );
    }
    match mode(path) {
        Some(mode) if private && mode & 0o077 != 0 => Finding::fail(
            what,
            format!("{shown} can be read by other users (mode {mode:03o})"),
            format!("chmod 700 {}", quoted(path)),
        ),
        Some(mode) => Finding::ok(what, format!("{shown}, mode {mode:03o}")),
        None => Finding::ok(what, shown.to_string()),
    }
}

/// A full disk takes an empty file still.
fn try_to_write(folder: &Path) -> std::io::Result<()> {
    let written = tempfile::Builder::new()
        .prefix(".doctor-")
        .tempfile_in(folder)
        .and_then(|mut file| {
            file.write_all(&[0; 4096])?;
            file.as_file().sync_all()
        });
    written.map_err(without_path)
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(path.metadata().ok()?.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}

fn preferences(folders: &Folders) -> Finding {
    let path = folders.preferences();
    let advice = "To edit the file, run `pockethog config edit`.";
    match Preferences::load(&path).1 {
        None => Finding::ok("Preferences", path.display().to_string()),
        Some(problem) if problem.is_whole() => {
            Finding::fail("Preferences", problem.to_string(), advice)
        }
        Some(problem) => Finding::warn("Preferences", problem.to_string(), advice),
    }
}

fn snapshots(folders: &Folders) -> Finding {
    let what = "Snapshots";
    let path = folders.snapshots();
    // Only what is there is opened: nothing is made by a look. Whose folder it is was found already.
    if check_owner(&folders.cache).is_ok() && path.symlink_metadata().is_err() {
        return Finding::ok(what, "none yet");
    }
    let advice = "It can be deleted at any time: everything in it comes from PostHog.";
    let looked = Snapshots::open(&path).and_then(|mut snapshots| {
        snapshots.try_to_write()?;
        let contents = (snapshots.projects()?.len(), snapshots.all_today()?);
        Ok((snapshots, contents))
    });
    let (snapshots, (projects, today)) = match looked {
        Err(error) => return Finding::fail(what, error.to_string(), advice),
        Ok(looked) => looked,
    };
    if let Some(unkept) = snapshots.unkept() {
        let saw = format!("{} {}", unkept.path().display(), unkept.reason());
        return Finding::fail(what, saw, unkept.remedy());
    }
    if snapshots.set_aside().is_some() {
        return Finding::warn(what, snapshots.remarks().join("; "), advice);
    }
    let size = path.metadata().map_or(0, |metadata| metadata.len()) / 1024;
    let now = Timestamp::now();
    let measured = || today.iter().map(|(_, today)| today.measured_at);
    // If the clock was ahead for all of them, their age is unknown.
    let newest = age::newest(measured(), now).or(measured().next());
    let age = newest.map_or_else(
        || "no numbers".to_owned(),
        |at| format!("the newest numbers {}", ago(at, now)),
    );
    let projects = counted(projects, "project", "projects");
    let saw = format!("{projects}, {age}, {size} KiB");
    match set_aside_before(&path).first() {
        None => Finding::ok(what, saw),
        Some(aside) => {
            let whose = other_owner(aside).map_or(String::new(), |owner| format!(" of {owner}"));
            Finding::warn(
                what,
                format!("{saw}; a file{whose} that could not be used was set aside"),
                format!("rm -rf {}", quoted(aside)),
            )
        }
    }
}

/// Projects of which fewer closed days can be read than of others.
fn histories(folders: &Folders) -> Vec<Finding> {
    let path = folders.snapshots();
    if check_owner(&folders.cache).is_err() {
        return Vec::new();
    }
    Snapshots::look(&path, |snapshots| {
        let snapshots = snapshots?;
        let projects = snapshots.projects().ok()?;
        let short = projects.iter().filter_map(|project| {
            let saw = snapshots.known_history(&project.key).ok()??.shortfall()?;
            Some(Finding::ok(format!("History of {}", project.name), saw))
        });
        Some(short.collect())
    })
    .unwrap_or_default()
}

/// Whether the app runs, by the address that it left.
async fn running(program: &AppContext) -> Finding {
    let path = program.folders.running();
    let address = match read_small(&path, LARGEST_NOTE) {
        Ok(None) => return Finding::ok("App", "not running"),
        Ok(Some(note)) => serde_json::from_slice::<serde_json::Value>(&note).ok(),
        Err(_) => None,
    };
    let address =
        address.and_then(|running| running.get("address")?.as_str()?.parse::<url::Url>().ok());
    let Some(address) = address else {
        return Finding::warn(
            "App",
            format!("{} cannot be read", path.display()),
            "Delete it; the app creates it again.",
        );
    };
    // Whoever listens there may be another program: the app proves that it wrote the file.
    match find_running(&program.folders).await {
        Some(_) => Finding::ok(
            "App",
            format!("running at {}", address.origin().ascii_serialization()),
        ),
        None => Finding::ok("App", "not running; it was killed or has crashed"),
    }
}

/// Whether the app starts with the session, if it does.
fn autostart(program: &AppContext) -> Option<Finding> {
    let what = "Autostart";
    let session = Autostart::of_this_device().ok()?;
    let system = session.system().name();
    let services = session.status(&program.preferences().0);
    let on = services.iter().filter(|service| service.on).count();
    if on == 0 {
        return None;
    }
    let advice = "`pockethog autostart on` arranges it again.";
    Some(if on < services.len() {
        let saw = format!("not everything that you use starts with your session, by {system}");
        Finding::warn(what, saw, advice)
    } else if services.iter().all(|service| service.current) {
        Finding::ok(what, format!("on, by {system}"))
    } else {
        let saw = format!("on, by {system}, of another program or version");
        Finding::warn(what, saw, advice)
    })
}

async fn vault(program: &AppContext) -> Vec<Finding> {
    let chosen = match program.sign_in.vault() {
        Ok(chosen) => chosen,
        Err(error) => {
            return vec![Finding::fail(
                "Vault",
                error.to_string(),
                "Move the file away and sign in again.",
            )];
        }
    };
    if program.is_demo() {
        // The keychain is the person's own.
        return vec![Finding::ok("Vault", vault_name(chosen))];
    }
    let keychain = program.sign_in.check_keychain().await;
    let works = "an entry was written, read and removed";
    match (chosen, keychain) {
        (Some(VaultBackend::Keychain), Ok(())) => vec![Finding::ok(
            "Vault",
            format!("{}: {works}", VaultBackend::Keychain),
        )],
        (Some(VaultBackend::Keychain), Err(error)) => vec![Finding::fail(
            "Vault",
            format!("{}: {error}", VaultBackend::Keychain),
            keychain_advice(&error),
        )],
        (chosen, Ok(())) => vec![
            Finding::ok("Vault", vault_name(chosen)),
            Finding::ok("Keychain", works),
        ],
        (chosen, Err(error)) => vec![
            Finding::ok("Vault", vault_name(chosen)),
            Finding::ok("Keychain", format!("not in use: {error}")),
        ],
    }
}

/// What to do about a keychain that holds the sign-ins and cannot be used.
fn keychain_advice(error: &VaultError) -> String {
    let to_file = "To store the sign-ins without a keychain, run `pockethog vault move file`.";
    let gone = "If the keychain no longer exists, run `pockethog vault move file --leave-keychain` and sign in \
                again.";
    match error {
        VaultError::KeychainLocked => format!(
            "Unlock it: in the desktop's password manager, or by signing in to the desktop. {to_file} {gone}"
        ),
        VaultError::KeychainUnreachable(_) => match session_bus() {
            Some(bus) => format!(
                "This terminal or job does not know the desktop's session. In a shell: \
                 export DBUS_SESSION_BUS_ADDRESS={bus}. In a crontab: the same line without `export`. In tmux: \
                 tmux set-environment -g DBUS_SESSION_BUS_ADDRESS {bus}, for new windows. {to_file}"
            ),
            None => format!(
                "You have no desktop session on this machine, which the keychain needs. {to_file} {gone}"
            ),
        },
        _ => format!("Restart it, or sign in to the desktop again. {to_file} {gone}"),
    }
}

/// The address of this user's session bus, if there is one that is not the one in use.
#[cfg(target_os = "linux")]
fn session_bus() -> Option<String> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let user = std::fs::metadata("/proc/self").ok()?.uid();
    let path = format!("/run/user/{user}/bus");
    let is_socket = std::fs::metadata(&path).is_ok_and(|found| found.file_type().is_socket());
    let address = format!("unix:path={path}");
    let in_use = std::env::var("DBUS_SESSION_BUS_ADDRESS");
    (is_socket && in_use.as_deref() != Ok(&address)).then_some(address)
}

#[cfg(not(target_os = "linux"))]
fn session_bus() -> Option<String> {
    None
}

fn vault_name(chosen: Option<VaultBackend>) -> String {
    chosen.map_or_else(
        || "chosen by the first sign-in".to_owned(),
        |chosen| chosen.to_string(),
    )
}

fn locks(program: &AppContext) -> Finding {
    let held = program.sign_in.held_locks().map(|mut held| {
        // The app holds it for as long as it runs, which has a line of its own.
        let app = program.folders.running().with_extension("lock");
        held.retain(|name| app.file_name().is_none_or(|app| app != name.as_str()));
        held
    });
    match held {
        Ok(held) if held.is_empty() => Finding::ok("Locks", "none is held"),
        Ok(held) => Finding::warn(
            "Locks",
            format!("in use by another process: {}", held.join(", ")),
            "A refresh or a sign-in takes seconds. If a lock stays in use for longer, stop the other running PocketHog.",
        ),
        Err(error) => Finding::fail(
            "Locks",
            error.to_string(),
            "Locks need a folder on a local disk.",
        ),
    }
}

async fn sign_ins(program: &AppContext, connections: &[Connection]) -> Vec<Finding> {
    if connections.is_empty() {
        return vec![Finding::warn(
            "Sign-ins",
            "nobody is signed in",
            "To sign in, run `pockethog login us` or `pockethog login eu`.",
        )];
    }
    let mut findings = Vec::with_capacity(connections.len());
    for connection in connections {
        let what = format!(
            "{} as {}",
            connection.host.name(),
            connection.account.label()
        );
        let login = format!(
            "`pockethog login {}` signs in again.",
            connection.host.key()
        );
        if let ConnectionState::Ended(reason) = connection.state {
            findings.push(Finding::warn(what, reason.sentence(), login));
            continue;
        }
        let missing = accounts::missing_scopes(connection);
        findings.push(match program.sign_in.check_stored(connection).await {
            Err(error) if error.is_of_keychain() => {
                Finding::fail(what, error.to_string(), "See “Vault” above.")
            }
            Err(error) => Finding::fail(what, error.to_string(), login),
            Ok(false) => Finding::fail(what, "its token or key is missing from the Vault", login),
            Ok(true) if !missing.is_empty() => Finding::warn(
                what,
                format!("not granted: {}", missing.join(", ")),
                "Features that need them are switched off. Sign in again to grant them.",
            ),
            Ok(true) => Finding::ok(what, expiry(connection)),
        });
    }
    findings
}

fn expiry(connection: &Connection) -> String {
    let expires = connection
        .expires_at
        .and_then(|at| Timestamp::from_second(at).ok());
    match expires {
        None => "the API key is stored".to_owned(),
        Some(at) => {
            let minutes = (at.as_second() - Timestamp::now().as_second()) / 60;
            match minutes {
                ..=0 => "the token is due for a refresh".to_owned(),
                1..120 => format!("the token is valid for another {minutes} min"),
                120..2880 => format!("the token is valid for another {} h", minutes / 60),
                _ => format!("the token is valid for another {} days", minutes / 1440),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn advice_about_the_keychain_works_where_it_is_given() {
        let locked = keychain_advice(&VaultError::KeychainLocked);
        assert!(locked.starts_with("Unlock it"), "{locked}");
        let away = keychain_advice(&VaultError::KeychainUnreachable("no bus".to_owned()));
        let expected = match session_bus() {
            Some(bus) => format!("export DBUS_SESSION_BUS_ADDRESS={bus}"),
            None => "--leave-keychain".to_owned(),
        };
        assert!(away.contains(&expected), "{away}");
    }

    #[cfg(unix)]
    #[test]
    fn a_sign_in_folder_that_others_can_read_fails() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |mode| {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            super::folder("Sign-in folder", folder.path(), true).health
        };
        assert_eq!(mode(0o755), Health::Fail);
        assert_eq!(mode(0o700), Health::Ok);
    }
}
