//! Writes the files that another program needs to show a widget or to make a digest.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use pockethog_views::install::{Call, Piece, Plan, PlanError, Target, digest, systemd_quoted};

/// Why a file was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// There is one that says something else.
    #[error("{} already exists with other content; move it away first", .0.display())]
    Exists(PathBuf),
    /// It cannot be written as it would have to be.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes the files; those that are there and say the same are left alone. Says which ones are new.
///
/// # Errors
///
/// See [`InstallError`]. Nothing is made if one is in the way.
pub fn write(plan: &Plan) -> Result<Vec<&Path>, InstallError> {
    let mut missing = Vec::new();
    for piece in &plan.pieces {
        match std::fs::read(&piece.path) {
            Ok(found) if found == piece.text.as_bytes() => {}
            Ok(_) => return Err(InstallError::Exists(piece.path.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(piece),
            Err(source) => return Err(failed(piece, source)),
        }
    }
    let mut written = Vec::new();
    for piece in missing {
        write_new(piece).map_err(|source| failed(piece, source))?;
        written.push(piece.path.as_path());
    }
    Ok(written)
}

fn write_new(piece: &Piece) -> io::Result<()> {
    if let Some(folder) = piece.path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    // Never over a file that came into being in the meantime.
    options.write(true).create_new(true);
    #[cfg(unix)]
    if piece.executable {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o755);
    }
    options.open(&piece.path)?.write_all(piece.text.as_bytes())
}

fn failed(piece: &Piece, source: io::Error) -> InstallError {
    InstallError::Io {
        path: piece.path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn call() -> Call {
        Call {
            program: "/opt/my tools/pockethog".into(),
            arguments: vec![
                "--max-age".into(),
                "5m".into(),
                "--".into(),
                "it's 50% #1 $HOME".into(),
            ],
            environment: vec![("POCKETHOG_HOME".into(), "/srv/hog".into())],
        }
    }

    #[test]
    fn a_file_that_says_something_else_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Target::Waybar
            .plan(&call(), folder.path(), folder.path())
            .unwrap();
        assert_eq!(write(&plan).unwrap().len(), 2);
        assert_eq!(write(&plan).unwrap().len(), 0);
        std::fs::write(&plan.pieces[1].path, "mine").unwrap();
        std::fs::remove_file(&plan.pieces[0].path).unwrap();
        assert!(matches!(write(&plan), Err(InstallError::Exists(_))));
        assert!(!plan.pieces[0].path.exists());
        assert_eq!(
            std::fs::read_to_string(&plan.pieces[1].path).unwrap(),
            "mine"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_plugin_can_be_run_and_its_words_survive_the_shell() {
        let folder = tempfile::tempdir().unwrap();
        let printer = folder.path().join("print'er $1");
        std::fs::write(
            &printer,
            "#!/bin/sh\nprintf '%s\\n' \"$POCKETHOG_HOME\" \"$@\"\n",
        )
        .unwrap();
        std::process::Command::new("chmod")
            .arg("+x")
            .arg(&printer)
            .status()
            .unwrap();
        let mut call = call();
        call.program = printer;
        let plan = Target::Xbar
            .plan(&call, folder.path(), folder.path())
            .unwrap();
        write(&plan).unwrap();
        let output = std::process::Command::new(&plan.pieces[0].path)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = said.lines().collect();
        let expected = [
            "/srv/hog",
            "widget",
            "--format",
            "xbar",
            "--max-age",
            "5m",
            "--",
            "it's 50% #1 $HOME",
        ];
        assert_eq!(words, expected);
    }
}
