//! Measures the whole program against the embedded PostHog and prints the tables of docs/performance.md.
//!
//! Run by `cargo xtask bench`, which builds the program for release first and names it in
//! `POCKETHOG_PROGRAM`. Nothing here passes or fails: a figure is printed beside its limit, and a person reads
//! both. Whole processes are measured from outside, as the one who waits for them sees it.

mod app;
mod harness;
mod measure;
mod processes;
mod report;
mod tls;

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use report::Report;

/// Names the program to measure.
const PROGRAM: &str = "POCKETHOG_PROGRAM";

/// Set in the process that measures, which trusts the certificate in front of the embedded PostHog.
const CERTIFICATE: &str = "SSL_CERT_FILE";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some((first, command)) = arguments.split_first()
        && first == "one"
    {
        return measure::one(command);
    }
    let parts = Part::chosen(&arguments)?;
    let Some(program) = std::env::var_os(PROGRAM).map(PathBuf::from) else {
        return Err(format!("{PROGRAM} names no program; run `cargo xtask bench`").into());
    };
    if std::env::var_os(tls::FOLDER).is_none() {
        return trusting_the_certificate(&arguments);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut report = Report::default();
    for part in parts {
        runtime.block_on(part.measure(&program, &mut report))?;
    }
    report.size(&program)?;
    print!("{report}");
    Ok(())
}

/// Runs itself again with a certificate that it trusts and that TLS in front of the embedded PostHog uses.
fn trusting_the_certificate(arguments: &[OsString]) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let certificate = tls::write_certificate(folder.path())?;
    let status = Command::new(std::env::current_exe()?)
        .args(arguments)
        .env(CERTIFICATE, certificate)
        .env(tls::FOLDER, folder.path())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err("the measuring process failed".into())
    }
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug)]
enum Part {
    Widgets,
    Refreshes,
    SignIn,
    Pages,
    Idle,
    Crowd,
    Growth,
}

impl Part {
    /// In the order of the page.
    const ALL: [(&str, Self); 7] = [
        ("widgets", Self::Widgets),
        ("refreshes", Self::Refreshes),
        ("sign-in", Self::SignIn),
        ("pages", Self::Pages),
        ("idle", Self::Idle),
        ("crowd", Self::Crowd),
        ("growth", Self::Growth),
    ];

    /// The parts of these names; all of them where none is named.
    fn chosen(names: &[OsString]) -> Result<Vec<Self>, String> {
        if names.is_empty() {
            return Ok(Self::ALL.map(|(_, part)| part).to_vec());
        }
        let part = |name: &OsString| {
            let found = Self::ALL.iter().find(|(known, _)| name == known);
            found.map(|&(_, part)| part).ok_or_else(|| {
                let known = Self::ALL.map(|(known, _)| known).join(", ");
                format!("{} is none of {known}", name.display())
            })
        };
        names.iter().map(part).collect()
    }

    async fn measure(self, program: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Widgets => processes::widgets(program, report).await,
            Self::Refreshes => processes::refreshes(program, report).await,
            Self::SignIn => {
                processes::sign_in(report).await?;
                app::first_dashboard(program, report).await
            }
            Self::Pages => app::pages(program, report).await,
            Self::Idle => app::idle(program, report).await,
            Self::Crowd => processes::crowd(program, report).await,
            Self::Growth => processes::growth(program, report).await,
        }
    }
}
