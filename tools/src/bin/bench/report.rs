//! Figures beside their limits, as the tables of docs/performance.md.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// What was measured so far.
#[derive(Debug, Default)]
pub struct Report {
    bars: Vec<[String; 3]>,
    tables: Vec<Table>,
}

#[derive(Debug)]
struct Table {
    title: &'static str,
    head: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Report {
    /// A figure beside its limit.
    pub fn bar(&mut self, what: &str, limit: &str, figure: String) {
        eprintln!("{what}: {figure} (limit {limit})");
        self.bars.push([what.to_owned(), limit.to_owned(), figure]);
    }

    /// A dashboard that depends on a chain of answers, each of which comes so late.
    pub fn chain(
        &mut self,
        what: &str,
        answers: u32,
        latency: Duration,
        [whole, computing]: [Duration; 2],
    ) {
        self.bar(
            what,
            "1.2 × the longest chain of answers",
            format!(
                "{}, {:.2} × a chain of {answers} answers, everything included; without latency {}",
                shown(whole),
                whole.as_secs_f64() / (latency * answers).as_secs_f64(),
                shown(computing),
            ),
        );
    }

    /// A table of its own.
    pub fn table(
        &mut self,
        title: &'static str,
        head: &'static [&'static str],
        rows: Vec<Vec<String>>,
    ) {
        for row in &rows {
            eprintln!("{title}: {}", row.join(" · "));
        }
        self.tables.push(Table { title, head, rows });
    }

    /// The size of the program.
    pub fn size(&mut self, program: &Path) -> Result<(), Box<dyn Error>> {
        let bytes = std::fs::metadata(program)?.len();
        self.bar(
            "the program's size on disk",
            "say it",
            format!("{:.1} MB", bytes as f64 / 1e6),
        );
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | limit | measured |\n|---|---|---|")?;
        for [what, limit, figure] in &self.bars {
            writeln!(f, "| {what} | {limit} | {figure} |")?;
        }
        for table in &self.tables {
            writeln!(f, "\n### {}\n", table.title)?;
            writeln!(f, "| {} |", table.head.join(" | "))?;
            writeln!(f, "|{}", "---|".repeat(table.head.len()))?;
            for row in &table.rows {
                writeln!(f, "| {} |", row.join(" | "))?;
            }
        }
        Ok(())
    }
}

/// `2.31 ms`, `1.52 s`.
pub fn shown(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    if milliseconds < 1000.0 {
        format!("{milliseconds:.2} ms")
    } else {
        format!("{:.2} s", milliseconds / 1e3)
    }
}

/// `6.3 MB`, from bytes.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
