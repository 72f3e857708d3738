//! `cargo xtask bench`: measures what packages hold (profile `dist`) and writes the figures to docs/performance.md.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{self, Failure, at};

/// What is between these lines on the page is replaced.
const BEGIN: &str = "<!-- figures -->\n";
const END: &str = "<!-- end of figures -->";

/// Builds with the profile `dist`, measures, and puts the tables into the page; prints them if only some parts were
/// asked for.
pub(crate) fn run(root: &Path, measured: &[String]) -> Result<(), Failure> {
    for (package, program) in [("pockethog", "pockethog"), ("tools", "bench")] {
        // One at a time: built together, the program would get what the benchmark asks of their dependencies.
        process::run(process::cargo(root).args([
            "build",
            "--profile",
            "dist",
            "--locked",
            "--package",
            package,
            "--bin",
            program,
        ]))?;
    }
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), |folder| root.join(folder))
        .join("dist");
    let tables = process::output(
        Command::new(folder.join("bench"))
            .args(measured)
            .env("POCKETHOG_PROGRAM", folder.join("pockethog")),
    )?;
    if !measured.is_empty() {
        println!("{tables}");
        return Ok(());
    }
    let parts = process::output(process::cargo(root).args([
        "bench",
        "--profile",
        "dist",
        "--locked",
        "--package",
        "pockethog",
        "--bench",
        "parts",
    ]))?;
    let parts = parts.trim();
    let page = root.join("docs/performance.md");
    let text = fs::read_to_string(&page).map_err(at(&page))?;
    let (before, rest) = text.split_once(BEGIN).ok_or_else(|| no_place(&page))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| no_place(&page))?;
    let machine = machine();
    fs::write(
        &page,
        format!(
            "{before}{BEGIN}\nMeasured on {machine}.\n\n{tables}\n\
             ### Inside one process\n\n```text\n{parts}\n```\n\n{END}{after}"
        ),
    )
    .map_err(at(&page))
}

fn no_place(page: &Path) -> Failure {
    Failure::Missing(format!("{} has no place for figures", page.display()))
}

/// Processor, memory and system, as far as the system tells.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name))?.to_owned();
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor =
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unnamed processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|size| size.split_whitespace().next()?.parse::<u64>().ok())
        .map_or_else(String::new, |kilobytes| {
            format!(", {} GB of memory", kilobytes / 1_000_000)
        });
    format!(
        "{cores} cores of {processor}{memory}, {}",
        std::env::consts::OS
    )
}
