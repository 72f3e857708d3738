//! Measures the whole program against the embedded PostHog and prints the tables of docs/performance.md.
//!
//! Run by `cargo xtask bench`, which builds the program for release first and names it in
//! `POCKETHOG_PROGRAM`. Nothing here passes or fails: a figure stands beside its limit, and a person reads
//! both. Whole processes are measured from outside, as the one who waits for them sees it.

mod app;
mod measure;
mod processes;
mod report;
mod stage;
mod tls;

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

use report::Report;

/// Names the program to measure.
const PROGRAM: &str = "POCKETHOG_PROGRAM";

/// Set in the process that measures, which trusts the certificate of the stage.
const CERTIFICATE: &str = "SSL_CERT_FILE";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "one") {
        return measure::one(&arguments.collect::<Vec<_>>());
    }
    let Some(program) = std::env::var_os(PROGRAM).map(PathBuf::from) else {
        return Err(format!("{PROGRAM} names no program; run `cargo xtask bench`").into());
    };
    if std::env::var_os(tls::FOLDER).is_none() {
        return trusting_the_stage();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut report = Report::default();
    runtime.block_on(async {
        processes::widgets(&program, &mut report).await?;
        processes::refreshes(&program, &mut report).await?;
        processes::sign_in(&program, &mut report).await?;
        app::pages(&program, &mut report).await?;
        app::idle(&program, &mut report).await?;
        processes::crowd(&program, &mut report).await?;
        processes::growth(&program, &mut report).await
    })?;
    report.size(&program)?;
    print!("{report}");
    Ok(())
}

/// Runs itself again with a certificate that it trusts and that TLS on the stage uses.
fn trusting_the_stage() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let certificate = tls::write_certificate(folder.path())?;
    let status = Command::new(std::env::current_exe()?)
        .env(CERTIFICATE, certificate)
        .env(tls::FOLDER, folder.path())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err("the measuring process failed".into())
    }
}
