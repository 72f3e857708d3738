//! How this program is started again by another one: a bar, a timer, the session.

use std::path::{Path, PathBuf};

use crate::install::{InstallError, PlanError};
use pockethog_device::folders;

/// This program, to be called again: by the name that it was called by, so that a link which a package manager
/// keeps on the newest version stays a link.
pub fn program() -> PathBuf {
    let running = std::env::current_exe().ok();
    let file = |path: &PathBuf| std::fs::canonicalize(path).ok();
    let is_running = |called: &PathBuf| file(called) == running.as_ref().and_then(file);
    called_as()
        .filter(is_running)
        .or(running.clone())
        .unwrap_or_else(|| PathBuf::from("pockethog"))
}

fn called_as() -> Option<PathBuf> {
    let name = PathBuf::from(std::env::args_os().next()?);
    if name.components().count() > 1 {
        return std::path::absolute(name).ok();
    }
    let folders = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&folders).map(|folder| folder.join(&name));
    std::path::absolute(files.find(|file| file.is_file())?).ok()
}

/// The variables that it is to find then. A folder is named from the root: another program has another working
/// folder.
///
/// # Errors
///
/// A path that is no text.
pub fn environment() -> Result<Vec<(String, String)>, InstallError> {
    let home = folders::home_from_environment();
    let home = home.map(|home| std::path::absolute(&home).unwrap_or(home));
    let home = home.as_deref().map(text_of).transpose()?;
    let addresses = ["POCKETHOG_US_URL", "POCKETHOG_EU_URL"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var(name).ok()?)));
    let all = home.map(|home| ("POCKETHOG_HOME", home));
    Ok(all
        .into_iter()
        .chain(addresses)
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

/// A path that another program's file can hold.
///
/// # Errors
///
/// A path that is no text.
pub fn text_of(path: &Path) -> Result<String, InstallError> {
    let text = path.to_str().map(ToOwned::to_owned);
    text.ok_or_else(|| PlanError::NotText(path.to_owned()).into())
}
