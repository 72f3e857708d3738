//! The digest as text: to be read, mailed or read aloud.

use unicode_width::UnicodeWidthStr;

use super::{
    beside, days, figures, lists, moved_on, mover, own_days, remark, summary, total, unread,
};
use crate::format::grouped;
use crate::moved;
use crate::plain::{cut, plain};
use pockethog_core::discovery::Failure;
use pockethog_screens::Digest;

/// Columns of a name.
const NAME: usize = 60;

/// The digest as text. What others wrote cannot begin a line or steer a terminal.
#[must_use]
pub fn text(digest: &Digest, failures: &[Failure]) -> String {
    let mut out = Vec::new();
    out.push(format!("PocketHog, {}", days(digest)));
    out.push(plain(&total(digest).text()).into_owned());
    if !digest.moves.is_empty() {
        out.push(String::new());
        out.push("WHAT MOVED".to_owned());
        for one in &digest.moves {
            let Some(project) = mover(digest, one) else {
                continue;
            };
            let said = moved_on(digest, project, one).text();
            let name = cut(&project.name, NAME);
            let label = moved::label(one.closed.moved.kind);
            out.push(format!("* {name} ({label}): {}", plain(&said)));
        }
    }
    if let Some(said) = summary(digest) {
        out.push(String::new());
        out.push(said);
    }
    for project in &digest.projects {
        out.push(String::new());
        let name = cut(&project.name, NAME).to_uppercase();
        out.push(match own_days(digest, project) {
            Some(days) => format!("{name}, {days}"),
            None => name,
        });
        out.extend(remark(digest, project));
        let figures = figures(project);
        let widest = figures.iter().map(|(name, _)| name.width()).max();
        let counts = figures
            .iter()
            .map(|(_, figure)| grouped(figure.count).width());
        let digits = counts.max().unwrap_or(0);
        for (name, figure) in &figures {
            let blank = " ".repeat(widest.unwrap_or(0).saturating_sub(name.width()));
            let line = format!(
                "{name}{blank}  {:>digits$}  {}",
                grouped(figure.count),
                beside(figure, digest.span)
            );
            out.push(line.trim_end().to_owned());
        }
        for (title, rows) in lists(project) {
            let rows: Vec<String> = rows
                .iter()
                .map(|(label, count)| format!("{label} ({count})"))
                .collect();
            out.push(format!("{title}: {}", rows.join(", ")));
        }
    }
    if !failures.is_empty() {
        out.push(String::new());
        out.push("NOT READ".to_owned());
        let lines = failures.iter().map(unread);
        out.extend(lines.map(|line| format!("* {}", plain(&line.text()))));
    }
    out.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_day_as_text() {
        insta::assert_snapshot!(text(&samples::day(), &samples::failures()));
    }

    #[test]
    fn a_week_as_text() {
        insta::assert_snapshot!(text(&samples::week(), &[]));
    }

    #[test]
    fn no_name_begins_a_line_or_steers_a_terminal() {
        let said = text(&samples::hostile(), &[]);
        assert!(!said.contains('\u{1b}') && !said.contains('\u{202e}'));
        assert!(
            said.lines().all(|line| !line.starts_with("injected")),
            "{said}"
        );
    }
}
