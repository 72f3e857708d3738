//! Opening an address in the user's browser.
//!
//! `BROWSER` names a program, which is started with the address as its one argument and without a
//! shell (rule B7); otherwise the operating system decides.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// False if no browser could show anything: over SSH, or without a display.
pub fn can_open() -> bool {
    if named().is_some() {
        return true;
    }
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if cfg!(target_os = "linux") {
        return is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") || is_set("WSL_DISTRO_NAME");
    }
    !is_set("SSH_CONNECTION")
}

/// Opens `address`.
///
/// # Errors
///
/// No program could be started; the address should be printed then.
pub fn open(address: &str) -> io::Result<()> {
    let Some(named) = named() else {
        return open::that_detached(address);
    };
    // A path may hold blanks; only if there is no such program is it taken as words.
    let mut words: Vec<String> = if Path::new(&named).exists() {
        vec![named]
    } else {
        named.split_whitespace().map(ToOwned::to_owned).collect()
    };
    let mut takes_place = false;
    for word in &mut words {
        if word.contains("%s") {
            *word = word.replace("%s", address);
            takes_place = true;
        }
    }
    if !takes_place {
        words.push(address.to_owned());
    }
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
}

/// The program that `BROWSER` names, the first one of a list.
fn named() -> Option<String> {
    let value = std::env::var("BROWSER").ok()?;
    let whole = value.trim();
    if Path::new(whole).exists() {
        return Some(whole.to_owned());
    }
    let first = whole.split(':').next().unwrap_or_default().trim();
    (!first.is_empty()).then(|| first.to_owned())
}
