//! `cargo xtask test`: runs all tests and checks.

use std::path::Path;
use std::process::Command;

use crate::prepare;
use crate::process::{self, Failure};

/// Prepares the machine, builds the programs that tests start, and runs all tests. The test runner comes
/// last, so that its summary is the last thing on the screen.
pub(crate) fn run(root: &Path, runner_arguments: &[String]) -> Result<(), Failure> {
    prepare::everything(root)?;
    // Tests start programs of other packages too. All targets at once, since cargo picks other features
    // for programs alone and would build every dependency a second time.
    process::run(process::cargo(root).args(["build", "--workspace", "--all-targets", "--locked"]))?;
    process::run(process::cargo(root).args(["test", "--workspace", "--doc", "--locked"]))?;
    process::run(runner(root).args(runner_arguments))
}

/// cargo-nextest where it is installed, since it runs each test in a process of its own and can keep the
/// browser tests in single file; the plain runner otherwise, with one test at a time per program.
fn runner(root: &Path) -> Command {
    let mut command = process::cargo(root);
    if process::succeeds(process::cargo(root).args(["nextest", "--version"])) {
        command.args(["nextest", "run", "--workspace", "--all-targets", "--locked"]);
    } else {
        eprintln!(
            "xtask: cargo-nextest is not installed, so the slower plain runner is used (`cargo install --locked cargo-nextest` installs it)."
        );
        command.args([
            "test",
            "--workspace",
            "--all-targets",
            "--locked",
            "--no-fail-fast",
        ]);
        command.env("RUST_TEST_THREADS", "1");
    }
    command
}
