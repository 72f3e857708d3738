//! What is done to start with the session or to stop it, one step after the other.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::install::InstallError;
use crate::system_program::{self, TO_ACT};
use pockethog_device::private_files::write_private;

/// In every file that is written here, so that it may be replaced and removed again.
pub(super) const MARK: &str =
    "Written by `pockethog autostart on`; `pockethog autostart off` removes it.";

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writes a file, in place of one that was written here.
    Write {
        /// Where.
        path: PathBuf,
        /// What it holds, with the mark.
        text: String,
    },
    /// Makes a link, in place of another link.
    Link {
        /// Where.
        path: PathBuf,
        /// What it leads to.
        to: PathBuf,
    },
    /// Removes a link, or a file that was written here.
    Remove(PathBuf),
    /// Runs a program of the system.
    Run {
        /// The program and its arguments.
        words: Vec<String>,
        /// What it means if the program fails.
        failure: Failure,
    },
}

/// What it means if a program of the system fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing: there was nothing to do for it.
    Harmless,
    /// It happens by itself with the next session.
    Later,
    /// What was asked for is not done.
    Fatal,
}

/// What came of the steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Why the system cannot do it before the next session, if so.
    pub later: Option<String>,
}

/// Why starting with the session could not be arranged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AutostartError {
    /// A file of somebody else, or one that cannot be written.
    #[error(transparent)]
    File(#[from] InstallError),
    /// The user has no home folder.
    #[error("there is no home folder, so nothing can be started with a session")]
    NoHome,
    /// A program of the system refused.
    #[error("{command}: {reason}")]
    Refused {
        /// What was run.
        command: String,
        /// What it said.
        reason: String,
    },
    /// Windows' Run key has no place for variables.
    #[error(
        "{0} is set in this terminal, and Windows starts programs with your session without it. Set it for your \
         account (`setx`), open another terminal without it, and try again"
    )]
    Variable(String),
}

impl Step {
    pub(super) fn run(words: &[&str], failure: Failure) -> Self {
        Self::Run {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            failure,
        }
    }
}

/// For the tests and for people who want to see what would be done.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { path, text } => write!(f, "write {}:\n{text}", path.display()),
            Self::Link { path, to } => write!(f, "link {} to {}", path.display(), to.display()),
            Self::Remove(path) => write!(f, "remove {}", path.display()),
            Self::Run { words, failure } => write!(f, "run {words:?} ({failure:?})"),
        }
    }
}

/// Does what the steps say.
///
/// # Errors
///
/// See [`AutostartError`]. What was done before stays; the next `on` or `off` puts it right.
pub fn apply(steps: &[Step]) -> Result<Outcome, AutostartError> {
    let mut outcome = Outcome::default();
    for step in steps {
        match step {
            Step::Write { path, text } => write(path, text)?,
            Step::Link { path, to } => link(path, to).map_err(failed(path))?,
            Step::Remove(path) => remove(path).map_err(failed(path))?,
            Step::Run { words, failure } => {
                if let Err(reason) = run(words) {
                    match failure {
                        Failure::Harmless => {}
                        Failure::Later => {
                            outcome.later.get_or_insert(reason);
                        }
                        Failure::Fatal => {
                            let command = words.join(" ");
                            return Err(AutostartError::Refused { command, reason });
                        }
                    }
                }
            }
        }
    }
    Ok(outcome)
}

/// Whether the file is one that was written here.
pub(super) fn is_ours(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.contains(MARK))
}

fn write(path: &Path, text: &str) -> Result<(), AutostartError> {
    match fs::read(path) {
        Ok(found) if found == text.as_bytes() => return Ok(()),
        Ok(_) if !is_ours(path) => return Err(InstallError::Exists(path.to_owned()).into()),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(path)(error)),
        _ => {}
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    write_private(path, text.as_bytes()).map_err(failed(path))
}

#[cfg(unix)]
fn link(path: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::other("is no link; move it away first")),
        Err(_) => {}
    }
    std::os::unix::fs::symlink(to, path)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

fn remove(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if found.is_symlink() || is_ours(path) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Runs it and returns what it said if it failed.
fn run(words: &[String]) -> Result<(), String> {
    let Some(program) = words.first() else {
        return Ok(());
    };
    match system_program::output(words, TO_ACT) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().find(|line| !line.trim().is_empty());
            Err(said.map_or_else(|| output.status.to_string(), |said| said.trim().to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::TimedOut => Err(format!("{program} {error}")),
        Err(error) => Err(format!("{program} cannot be run: {error}")),
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> AutostartError {
    let path = path.to_owned();
    move |source| InstallError::Io { path, source }.into()
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(path: &Path, text: &str) -> Step {
        Step::Write {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_file_of_somebody_else_is_neither_replaced_nor_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/pockethog.service");
        let (first, second) = (format!("# {MARK}\n1"), format!("# {MARK}\n2"));
        apply(&[file(&path, &first), file(&path, &second)]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), second);
        apply(&[Step::Remove(path.clone())]).unwrap();
        assert!(!path.exists());
        fs::write(&path, "mine").unwrap();
        assert!(apply(&[file(&path, &first)]).is_err());
        apply(&[Step::Remove(path.clone())]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_link_takes_the_place_of_a_link_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wants/pockethog.service");
        let link = |to: &str| Step::Link {
            path: path.clone(),
            to: to.into(),
        };
        apply(&[link("/nowhere"), link("/elsewhere")]).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/elsewhere"));
        apply(&[Step::Remove(path.clone()), Step::Remove(path.clone())]).unwrap();
        fs::write(&path, "mine").unwrap();
        assert!(apply(&[link("/nowhere")]).is_err());
    }

    #[test]
    fn what_a_program_of_the_system_says_is_kept_and_matters_as_the_step_says() {
        let refuse = |failure| Step::run(&["sh", "-c", "echo no bus >&2; exit 1"], failure);
        let outcome = apply(&[refuse(Failure::Harmless), refuse(Failure::Later)]).unwrap();
        assert_eq!(outcome.later.as_deref(), Some("no bus"));
        let refused = apply(&[refuse(Failure::Fatal)]).unwrap_err();
        assert!(refused.to_string().ends_with(": no bus"), "{refused}");
        let missing = apply(&[Step::run(&["/no/such/program"], Failure::Fatal)]).unwrap_err();
        assert!(missing.to_string().contains("cannot be run"), "{missing}");
    }
}
