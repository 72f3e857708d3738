//! Texts written in the user's own editor: `VISUAL`, `EDITOR`, otherwise the system's.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::Command;

use super::console::CliError;
use pockethog_views::plain::plain;

/// Lets the person change `text`, and returns what it became.
///
/// # Errors
///
/// No terminal, no editor, or one that ends with an error: then nothing is to be changed.
pub fn edit_text(what: &str, text: &str) -> Result<String, CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::usage(
            "there is no terminal for an editor; use options to say what to change",
        ));
    }
    let mut file = tempfile::Builder::new()
        .prefix(&format!("pockethog-{what}-"))
        .suffix(".txt")
        .tempfile()?;
    // An editor need not be careful with what others wrote.
    let shown: Vec<_> = text.lines().map(harmless).collect();
    let shown = shown.join("\n");
    file.write_all(shown.as_bytes())?;
    file.flush()?;
    open(file.path())?;
    // Editors replace the file, so it is read by its name.
    let edited = std::fs::read_to_string(file.path())?;
    // What cannot be seen stays if nothing else was changed.
    if edited.trim_end() == shown.trim_end() {
        return Ok(text.to_owned());
    }
    Ok(edited)
}

/// A line with its tabs and nothing else that steers a terminal.
fn harmless(line: &str) -> String {
    let parts: Vec<_> = line.split('\t').map(plain).collect();
    parts.join("\t")
}

/// Opens a file in the editor and waits for its end.
///
/// # Errors
///
/// No editor, or one that ends with an error.
pub fn open(file: &Path) -> Result<(), CliError> {
    let named = ["VISUAL", "EDITOR"]
        .into_iter()
        .filter_map(|variable| std::env::var(variable).ok())
        .find(|value| !value.trim().is_empty());
    let fallback = if cfg!(windows) { "notepad" } else { "vi" };
    let named = named.unwrap_or_else(|| fallback.to_owned());
    // `code --wait` is words; a path with blanks is one.
    let mut words: Vec<&str> = if Path::new(&named).exists() {
        vec![&named]
    } else {
        named.split_whitespace().collect()
    };
    let program = words.remove(0);
    let status = Command::new(program)
        .args(words)
        .arg(file)
        .status()
        .map_err(|error| {
            CliError::failed(format!(
                "the editor {program} could not be started: {error}; set EDITOR to another editor"
            ))
        })?;
    if status.success() {
        Ok(())
    } else {
        Err(CliError::failed(format!(
            "the editor {program} ended with {status}; nothing was changed"
        )))
    }
}
