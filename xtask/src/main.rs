//! The project's development tasks, run as `cargo xtask …`.
//!
//! `cargo xtask test` is the one test command: on a machine with only Rust and a C compiler it installs
//! what the tests need beyond cargo, prepares the test peers, and runs everything. It is a program and not
//! a shell script so that it fails with a sentence and keeps the exit code of what it ran.

mod bench;
mod dist;
mod prepare;
mod process;
mod test;
mod typeface;
mod usual_bench;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "PocketHog's own chores", version)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what the tests need and run all of them.
    Test {
        /// Passed on to the test runner, for instance a filter.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        runner_arguments: Vec<String>,
    },
    /// Measure the small build of the packages and write the figures to docs/performance.md.
    Bench {
        /// Measure only these and print them: widgets, refreshes, sign-in, pages, idle, crowd, growth. `usual`, with
        /// or without a folder of labelled series, measures how honest the flags of unusual days are instead.
        parts: Vec<String>,
        /// With `usual`: judge the series only, which takes seconds, and leave out the simulated year.
        #[arg(long)]
        only_series: bool,
    },
    /// Make the packages of a release for Linux under target/packages: .deb, .rpm, .tar.gz, inventory and sums.
    Dist,
    /// Write the recipes of Homebrew, AUR and Nix for a release: FOLDER has its SHA256SUMS, and gets `recipes`.
    Recipes {
        /// The folder.
        folder: PathBuf,
    },
    /// Install what the tests need, and prepare the test peers under `target/peers`.
    Prepare,
    /// Cut the typeface of the pages out of Inter again, after its rules were changed.
    Typeface,
}

fn main() -> ExitCode {
    let root = workspace_root();
    let result = match Arguments::parse().chore {
        Chore::Test { runner_arguments } => test::run(&root, &runner_arguments),
        Chore::Bench { parts, only_series } => match parts.as_slice() {
            [what, folder @ ..] if what == "usual" => match folder {
                [] => usual_bench::run(&root, None, only_series),
                [folder] => usual_bench::run(&root, Some(folder), only_series),
                _ => Err(process::Failure::Missing(
                    "`bench usual` takes one folder".to_owned(),
                )),
            },
            parts => bench::run(&root, parts),
        },
        Chore::Dist => dist::run(&root),
        Chore::Recipes { folder } => dist::recipes::write(&folder),
        Chore::Prepare => prepare::everything(&root),
        Chore::Typeface => typeface::run(&root),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The folder that holds the workspace: the parent of this crate's.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
