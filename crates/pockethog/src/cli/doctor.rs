//! `pockethog doctor`.

use clap::Args;
use serde_json::json;

use super::console::{CliError, Console, Exit, Progress, Style, Text};
use super::text::left;
use crate::doctor::{Health, examine, report};
use pockethog_core::app_context::{AppContext, StartError};

/// Check the installation and suggest fixes.
///
/// Checks the folders and their modes, the preferences, the stored numbers, the keychain, the locks, each sign-in,
/// each PostHog host and the clock. Exits 1 if a check fails.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog doctor
  pockethog doctor --report > report.txt    for a bug report, without names, addresses and secrets
  pockethog doctor --json")]
pub struct Doctor {
    /// Print a text for a bug report: versions, settings and the checks, without secrets, names of people, projects
    /// and organizations, e-mail addresses, and addresses other than those of PostHog Cloud.
    #[arg(long)]
    report: bool,
}

/// Looks and reports.
///
/// # Errors
///
/// Options that contradict each other. What fails is part of the report.
pub async fn run(
    program: &Result<AppContext, StartError>,
    console: &Console,
    wanted: &Doctor,
) -> Result<Exit, CliError> {
    if wanted.report && console.is_json() {
        return Err(CliError::usage("--report is text; leave --json out"));
    }
    let progress = Progress::new("Checking the installation …");
    let findings = console.watch(&progress, examine(program)).await;
    if wanted.report {
        console.line(Text::block(report(program, &findings).trim_end()));
        console.say("Read it before you publish it.");
        return Ok(Exit::Done);
    }
    let worst = findings.iter().map(|finding| finding.health).max();
    if console.is_json() {
        console.document(&json!({ "health": worst, "findings": findings }));
    } else {
        let width = findings
            .iter()
            .map(|finding| finding.what.chars().count())
            .max()
            .unwrap_or(0)
            .min(28);
        for finding in &findings {
            let (sign, style) = match finding.health {
                Health::Ok => ("✓ ok  ", Style::Good),
                Health::Warn => ("! warn", Style::Accent),
                Health::Fail => ("✗ fail", Style::Bad),
            };
            let indent = width + 10;
            let what = Text::styled(Style::Strong, left(&finding.what, width));
            let line = Text::styled(style, sign).and("  ").and(what).and("  ");
            console.hanging(line.and(&finding.saw), indent);
            if let Some(advice) = &finding.advice {
                console.hanging(format!("{}→ {advice}", " ".repeat(indent)), 2);
            }
        }
    }
    Ok(if worst == Some(Health::Fail) {
        Exit::Failed
    } else {
        Exit::Done
    })
}
