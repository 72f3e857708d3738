//! Runs other programs: prints each command, and names it if it fails.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// Why a chore stopped. Its text is a whole sentence for the person at the terminal.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A program could not be started at all.
    NotStarted { command: String, cause: io::Error },
    /// A program ran and said no.
    Unsuccessful { command: String, status: ExitStatus },
    /// A file could not be read or written.
    File { path: PathBuf, cause: io::Error },
    /// Something is missing that only the person can provide.
    Missing(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted { command, cause } => {
                write!(f, "`{command}` could not be started: {cause}")
            }
            Self::Unsuccessful { command, status } => write!(f, "`{command}` failed ({status})"),
            Self::File { path, cause } => write!(f, "{}: {cause}", path.display()),
            Self::Missing(sentence) => f.write_str(sentence),
        }
    }
}

/// Runs `command` to its end with the terminal's own input and output, and demands success.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let shown = shown(command);
    eprintln!("+ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Unsuccessful {
            command: shown,
            status,
        }),
        Err(cause) => Err(Failure::NotStarted {
            command: shown,
            cause,
        }),
    }
}

/// Runs `command` to its end and returns what it printed; what it says on standard error is shown.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let shown = shown(command);
    eprintln!("+ {shown}");
    match command.stderr(std::process::Stdio::inherit()).output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(Failure::Unsuccessful {
            command: shown,
            status: output.status,
        }),
        Err(cause) => Err(Failure::NotStarted {
            command: shown,
            cause,
        }),
    }
}

/// Whether `command` can be run and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Where the program `name` is found on `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// The cargo that runs this chore, so that a chosen toolchain stays the chosen one.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Turns an I/O error into a [`Failure`] that names the file.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_path_buf();
    move |cause| Failure::File { path, cause }
}

fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
