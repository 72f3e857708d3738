//! `pockethog completions` and `pockethog man`: generated from the same description as the commands.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Arguments;
use super::console::{CliError, Console, Exit, Text};

/// Print a script with which a shell completes commands and options.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog completions bash > ~/.local/share/bash-completion/completions/pockethog
  pockethog completions fish > ~/.config/fish/completions/pockethog.fish
  pockethog completions zsh  > ~/.zfunc/_pockethog      with fpath+=~/.zfunc before compinit")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// Print the manual page, or write those of all commands into a folder.
#[derive(Debug, Args)]
#[command(
    name = "man",
    after_help = "\
Examples:
  pockethog man | man -l -
  pockethog man --dir ~/.local/share/man/man1    then: man pockethog-overview"
)]
pub struct ManPages {
    /// Write one page per command into this folder.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Prints the completion script.
pub fn completions(console: &Console, completions: &Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(
        completions.shell,
        &mut Arguments::command(),
        "pockethog",
        &mut script,
    );
    console.line(Text::block(String::from_utf8_lossy(&script).trim_end()));
    Exit::Done
}

/// Prints or writes manual pages.
///
/// # Errors
///
/// A folder that cannot be written to.
pub fn man(console: &Console, man: &ManPages) -> Result<Exit, CliError> {
    let command = Arguments::command().disable_help_subcommand(true);
    let Some(folder) = &man.dir else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        console.line(Text::block(String::from_utf8_lossy(&page).trim_end()));
        return Ok(Exit::Done);
    };
    let wrong = |error| CliError::failed(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(wrong)?;
    clap_mangen::generate_to(command, folder).map_err(wrong)?;
    console.line(format!("The pages are in {}.", folder.display()));
    Ok(Exit::Done)
}
