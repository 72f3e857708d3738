//! Commands and widgets, as whole processes.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use demo_posthog::Size;
use pockethog_core::live::refresh;
use pockethog_core::preferences::Preferences;

use crate::harness::Harness;
use crate::measure::{Middle, run, runs};
use crate::report::{Report, megabytes, shown};

/// Added to every answer where a row says so.
pub const LATENCY: Duration = Duration::from_millis(100);

/// `widget` from fresh numbers.
pub async fn widgets(program: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let harness = Harness::of(14).await?;
    run(&harness.command(program, &["overview"]))?;
    let nothing = runs(100, 0, &Command::new("true"))?;
    let text = runs(100, 0, &harness.command(program, &["widget", "--total"]))?;
    report.bar(
        "`widget` from a fresh Snapshot, spawn to exit",
        "3 ms",
        format!(
            "{} (fastest {}; `true` takes {})",
            shown(text.wall),
            shown(text.best),
            shown(nothing.wall)
        ),
    );
    report.bar("… its memory at the peak", "10 MB", megabytes(text.peak));
    let png = harness.command(program, &["widget", "--total", "--format", "png"]);
    let png = runs(30, 0, &png)?;
    report.bar("`widget --format png`", "50 ms", spread(&png));
    Ok(())
}

/// All numbers of twelve projects again, their list being known.
pub async fn refreshes(program: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let harness = Harness::of(12).await?;
    let overview = harness.command(program, &["overview", "--json"]);
    run(&overview)?;
    Harness::within_one_minute().await;
    let without = runs(9, 0, &overview)?;
    harness.set_latency(LATENCY);
    let with = runs(9, 0, &overview)?;
    harness.handshakes();
    harness.queries();
    run(&overview)?;
    let (handshakes, queries) = (harness.handshakes(), harness.queries());
    let added = with.wall.saturating_sub(without.wall);
    report.bar(
        "12 projects, all numbers fresh, 100 ms on every answer",
        "1.3 × one latency, and the server's own time",
        format!(
            "{}; without latency {}; so {:.2} × one latency",
            spread(&with),
            shown(without.wall),
            added.as_secs_f64() / LATENCY.as_secs_f64()
        ),
    );
    report.bar(
        "requests to the query endpoint per project and refresh",
        "1",
        format!("{:.2}", queries as f64 / 12.0),
    );
    report.bar(
        "connections with a TLS handshake per host",
        "1",
        handshakes.to_string(),
    );
    Ok(())
}

/// From the browser's return to the last number of 2,000 projects in 50 organizations.
pub async fn sign_in(report: &mut Report) -> Result<(), Box<dyn Error>> {
    let harness = Harness::new(Size::Large {
        organizations: 50,
        projects_each: 40,
    })
    .await?;
    let program = harness.program()?;
    // The events of each project are invented when first asked for, which is not the program's time.
    let warm = harness.sign_in(&program).await?;
    everything(&program, std::slice::from_ref(&warm)).await?;
    Harness::within_one_minute().await;
    everything(&program, &[warm]).await?;
    let mut took = [Duration::ZERO; 2];
    for (took, latency) in took.iter_mut().zip([LATENCY, Duration::ZERO]) {
        std::fs::remove_dir_all(&harness.folders().cache)?;
        harness.set_latency(latency);
        let started = Instant::now();
        let connection = harness.sign_in(&program).await?;
        everything(&program, &[connection]).await?;
        *took = started.elapsed();
    }
    // Metadata, registration check, token, keys; the organizations; their lists, 64 at once; the
    // queries, 200 at once.
    let chain = 4 + 1 + 50_u32.div_ceil(64) + 2_000_u32.div_ceil(200);
    report.chain(
        "sign-in to complete dashboard, 50 organizations × 40 projects, 100 ms",
        chain,
        LATENCY,
        took,
    );
    Ok(())
}

/// What becomes of time as there are more projects.
pub async fn growth(program: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let mut rows = Vec::new();
    for projects in [10, 100, 1_000, 10_000] {
        let harness = Harness::of(projects).await?;
        let overview = harness.command(program, &["overview", "--json"]);
        run(&overview)?;
        Harness::within_one_minute().await;
        let times = if projects > 1_000 { 1 } else { 3 };
        let refresh = runs(times, 0, &overview)?;
        let total = runs(20, 0, &harness.command(program, &["widget", "--total"]))?;
        let list = runs(5, 0, &harness.command(program, &["status"]))?;
        rows.push(vec![
            projects.to_string(),
            shown(refresh.wall),
            shown(refresh.computed),
            megabytes(refresh.peak),
            shown(total.wall),
            megabytes(total.peak),
            shown(list.wall),
        ]);
    }
    report.table(
        "As it grows",
        &[
            "projects",
            "`overview --json`, all fresh",
            "computed by it",
            "its memory",
            "`widget --total`",
            "its memory",
            "`status`",
        ],
        rows,
    );
    Ok(())
}

/// Older than this, the crowd's numbers are read again. Longer than the largest crowd takes, so that what one
/// of them has read serves all.
const CROWD_AGE: Duration = Duration::from_secs(30);

/// Many widgets that all find old numbers.
pub async fn crowd(program: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let harness = Harness::of(14).await?;
    run(&harness.command(program, &["overview"]))?;
    let max_age = format!("{}s", CROWD_AGE.as_secs());
    let mut rows = Vec::new();
    for widgets in [1, 10, 100, 1_000] {
        tokio::time::sleep(CROWD_AGE + Duration::from_secs(1)).await;
        harness.queries();
        let started = Instant::now();
        let mut children = Vec::with_capacity(widgets);
        for _ in 0..widgets {
            let arguments = ["widget", "--total", "--max-age", max_age.as_str()];
            children.push(harness.command(program, &arguments).spawn()?);
        }
        let mut failed = 0;
        for mut child in children {
            failed += usize::from(!child.wait()?.success());
        }
        rows.push(vec![
            widgets.to_string(),
            shown(started.elapsed()),
            harness.queries().to_string(),
            failed.to_string(),
        ]);
    }
    report.table(
        "Widgets at once, all of them with old numbers of 14 projects",
        &[
            "widgets",
            "until the last has ended",
            "queries sent",
            "failed",
        ],
        rows,
    );
    Ok(())
}

async fn everything(
    program: &pockethog_core::app_context::AppContext,
    connections: &[sign_in_with_posthog::Connection],
) -> Result<(), Box<dyn Error>> {
    let mut snapshots = program.snapshots()?;
    refresh::home(
        program,
        &mut snapshots,
        connections,
        &Preferences::default(),
        &|_| true,
        &mut |_, _| (),
    )
    .await?;
    Ok(())
}

fn spread(middle: &Middle) -> String {
    format!(
        "{} ({} to {})",
        shown(middle.wall),
        shown(middle.best),
        shown(middle.worst)
    )
}
