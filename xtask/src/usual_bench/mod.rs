//! `cargo xtask bench usual [FOLDER]`: how honest the flags of the crate `usual` are.
//!
//! Standard output gets one line for each series of the folder, `NAME found A/B flagged C/D`: labelled stretches
//! found, and other days flagged, of those judged. Days and stretches are judged with at least three weeks before them; a
//! day is flagged if somebody who looked at each of its slots in order would have been shown a move. All else, with
//! the simulated year, goes to standard error.

mod series;
mod simulated;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::{Date, DateTime};
use usual::{Baseline, Compare, Day, Direction, HISTORY_DAYS, Mark, Sensitivity, Today};

use self::series::Series;
use crate::process::{Failure, at};

/// Where the labelled series are if no folder is named, beside the repository.
const FOLDER: &str = "../shared/data/nab";
/// Days need this many before them.
const DAYS_BEFORE: i32 = 21;

/// Labelled stretches by the name of the series: the days from, to.
type Stretches = BTreeMap<String, Vec<(Date, Date)>>;

/// Runs over the series, and then over the simulated year unless only the series are wanted.
pub(crate) fn run(root: &Path, folder: Option<&str>, only_series: bool) -> Result<(), Failure> {
    let simulate = || {
        if !only_series {
            simulated::run();
        }
    };
    let chosen = folder.map_or_else(|| root.join(FOLDER), PathBuf::from);
    if chosen.is_dir() {
        let unread = judge_folder(&chosen)?;
        if unread > 0 {
            simulate();
            return Err(Failure::Missing(format!(
                "{unread} series could not be read"
            )));
        }
    } else if folder.is_some() {
        return Err(Failure::Missing(format!(
            "there is no folder {}",
            chosen.display()
        )));
    } else {
        eprintln!(
            "There are no labelled series: {} does not exist. Name a folder with them.",
            chosen.display()
        );
    }
    simulate();
    Ok(())
}

/// Prints a line for each series; returns how many could not be read.
fn judge_folder(folder: &Path) -> Result<usize, Failure> {
    let labels = folder.join("windows.json");
    let text = fs::read_to_string(&labels).map_err(at(&labels))?;
    let stretches = stretches(&text)
        .map_err(|cause| Failure::Missing(format!("{}: {cause}", labels.display())))?;
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(at(folder))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
        .collect();
    files.sort();
    let mut unread = 0;
    for name in stretches.keys() {
        if !folder.join(format!("{name}.csv")).is_file() {
            eprintln!(
                "  {name}: {} names it, but there is no {name}.csv",
                labels.display()
            );
            unread += 1;
        }
    }
    for file in files {
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let read = fs::read_to_string(&file).map_err(|cause| cause.to_string());
        match read.and_then(|text| text.parse::<Series>()) {
            Ok(series) => {
                let labelled = stretches.get(&name).map_or(&[][..], Vec::as_slice);
                let score = Score::of(&series, labelled);
                println!("{name} {score}");
                eprintln!("  {name}: {}", score.listed());
            }
            Err(cause) => {
                eprintln!("  {name}: {cause}");
                unread += 1;
            }
        }
    }
    Ok(unread)
}

/// Reads windows.json. A name may carry a folder and `.csv`.
fn stretches(text: &str) -> Result<Stretches, String> {
    let read: BTreeMap<String, Vec<(String, String)>> =
        serde_json::from_str(text).map_err(|cause| cause.to_string())?;
    let day = |text: &str| {
        text.parse::<DateTime>()
            .map(DateTime::date)
            .map_err(|cause| cause.to_string())
    };
    read.into_iter()
        .map(|(name, stretches)| {
            let name = Path::new(&name)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let name = name.strip_suffix(".csv").unwrap_or(&name).to_owned();
            let days = stretches
                .iter()
                .map(|(from, to)| Ok((day(from)?, day(to)?)));
            Ok((name, days.collect::<Result<_, String>>()?))
        })
        .collect()
}

/// What became of a series.
struct Score {
    found: usize,
    stretches: usize,
    flagged: Vec<(Date, Direction)>,
    others: usize,
}

impl Score {
    fn of(series: &Series, labelled: &[(Date, Date)]) -> Self {
        let days = judged(&series.days);
        let first = days.first().map(|day| day.date);
        let has_history = |date: Date| {
            first.is_some_and(|first| {
                first
                    .until(date)
                    .is_ok_and(|span| span.get_days() >= DAYS_BEFORE)
            })
        };
        let moved = |day: &Day| match day.mark {
            Mark::Moved(direction) => Some(direction),
            _ => None,
        };
        let within = |date: Date, (from, to): &(Date, Date)| (*from..=*to).contains(&date);
        // A stretch of which the series has no day cannot be found.
        let counted: Vec<&(Date, Date)> = labelled
            .iter()
            .filter(|stretch| {
                has_history(stretch.0) && days.iter().any(|day| within(day.date, stretch))
            })
            .collect();
        let found = counted
            .iter()
            .filter(|stretch| {
                days.iter()
                    .any(|day| within(day.date, stretch) && moved(day).is_some())
            })
            .count();
        let others: Vec<&Day> = days
            .iter()
            .filter(|day| {
                has_history(day.date) && !labelled.iter().any(|stretch| within(day.date, stretch))
            })
            .collect();
        Self {
            found,
            stretches: counted.len(),
            flagged: others
                .iter()
                .filter_map(|day| Some((day.date, moved(day)?)))
                .collect(),
            others: others.len(),
        }
    }

    /// The other days that were flagged.
    fn listed(&self) -> String {
        let days = self
            .flagged
            .iter()
            .map(|(date, direction)| match direction {
                Direction::Up => format!("{date} up"),
                Direction::Down => format!("{date} down"),
            });
        days.collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            found,
            stretches,
            flagged,
            others,
        } = self;
        write!(
            f,
            "found {found}/{stretches} flagged {}/{others}",
            flagged.len()
        )
    }
}

/// The days in order, each judged by those before it.
fn judged(days: &[Day]) -> Vec<Day> {
    let mut done: Vec<Day> = Vec::with_capacity(days.len());
    for day in days {
        let history = done
            .get(done.len().saturating_sub(HISTORY_DAYS)..)
            .unwrap_or_default();
        let mark = judge(history, day).0;
        done.push(Day {
            mark,
            ..day.clone()
        });
    }
    done
}

/// The mark of a day by the days before it, and how often it moved.
fn judge(history: &[Day], day: &Day) -> (Mark, usize) {
    let baseline = Baseline::new(history, day.date, Compare::Usual, Sensitivity::Normal);
    if !matches!(baseline.basis(), Some(usual::Basis::Weeks(_))) {
        return (Mark::Unjudged, 0);
    }
    let judgement = baseline.judge(&Today::new(day.date, day.counts.clone()), None);
    let moves = judgement
        .changes
        .iter()
        .filter(|change| matches!(change.to, usual::State::Moved(_)));
    let mark = judgement
        .first_move()
        .map_or(Mark::Ordinary, |first| Mark::Moved(first.direction));
    (mark, moves.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan as _;
    use jiff::civil::date;

    #[test]
    fn stretches_and_other_days_are_counted_apart() {
        // Six weeks of half hours; a labelled burst, and another that is not labelled.
        let start = date(2026, 3, 2);
        let mut text = "timestamp,value\n".to_owned();
        for slot in 0..42 * 48_i64 {
            let burst = [30, 37].contains(&(slot / 48)) && (20..32).contains(&(slot % 48));
            let value = if burst { 900 } else { 300 + (slot * 7919) % 31 };
            let when = start.at(0, 0, 0, 0) + (slot * 30).minutes();
            text += &[when.to_string(), value.to_string()].join(",");
            text.push('\n');
        }
        let series: Series = text.parse().unwrap();
        let labels = stretches(
            r#"{"x/burst.csv": [["2026-04-01 02:00:00.000000", "2026-04-01 20:00:00"], ["2026-03-05 00:00:00", "2026-03-05 10:00:00"], ["2026-09-01 00:00:00", "2026-09-02 00:00:00"]]}"#,
        )
        .unwrap();
        let score = Score::of(&series, &labels["burst"]);
        assert_eq!(score.to_string(), "found 1/1 flagged 1/20");
        assert_eq!(score.listed(), "2026-04-08 up");
    }
}
