//! The `pockethog` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    pockethog::cli::run()
}
