//! Waybar's custom module with `"return-type": "json"`: one line with `text`, `alt`, `tooltip` and
//! `class` (waybar-custom(5)). Text and tooltip are Pango markup, so names are escaped.
//!
//! Waybar hides a module whose program ended with an error or printed nothing, so this format never does
//! either: what is wrong is in the class, which a style sheet can colour.

use serde_json::json;

use super::words::{Marked, figure, moved, placeholder, remark, sentence, sum_remark, trend};
use crate::format;
use crate::plain::cut;
use pockethog_core::moves::Kind;
use pockethog_core::widget::{Content, Numbers, State};

/// Columns of a name in the bar.
const NAME: usize = 18;

/// Projects in the bar, and in the tooltip.
const IN_BAR: usize = 4;
const IN_TOOLTIP: usize = 25;

/// The widget as one line of JSON, with its line feed.
pub fn waybar(content: &Content) -> String {
    let sum = content.sum();
    let mut classes = vec![content.state.name()];
    if let Some(sum) = &sum {
        classes.push(trend(sum.change));
        if content.is_stale(sum.measured_at) && content.state != State::Stale {
            classes.push(State::Stale.name());
        }
    }
    classes.extend(moved_classes(content));
    let line = json!({
        "text": markup().text(bar(content, sum.as_ref())).line(),
        "alt": content.state.name(),
        "tooltip": tooltip(content, sum.as_ref()),
        "class": classes,
    });
    format!("{line}\n")
}

/// `silent` if a project is, and `moved` if one has left its usual range: the same that an alert tells.
fn moved_classes(content: &Content) -> Vec<&'static str> {
    let any = |is: fn(Kind) -> bool| {
        let mut moves = content.rows.iter().filter_map(|row| row.moved.as_ref());
        moves.any(|moved| is(moved.kind))
    };
    let mut classes = Vec::new();
    if any(|kind| matches!(kind, Kind::Spike | Kind::Drop)) {
        classes.push("moved");
    }
    if any(|kind| kind == Kind::Silent) {
        classes.push("silent");
    }
    classes
}

fn bar(content: &Content, sum: Option<&Numbers>) -> String {
    let Some(sum) = sum else {
        return placeholder(content);
    };
    if content.summed {
        return item(&content.title, sum, &sum_remark(content));
    }
    let items: Vec<String> = content
        .rows
        .iter()
        .take(IN_BAR)
        .map(|row| match &row.numbers {
            Some(numbers) => item(&row.name, numbers, &remark(content, row)),
            None => format!("{} – ({})", cut(&row.name, NAME), remark(content, row)),
        })
        .collect();
    let more = content.rows.len().saturating_sub(IN_BAR);
    let more = if more > 0 {
        format!("  +{more}")
    } else {
        String::new()
    };
    items.join("  ") + &more
}

fn item(name: &str, numbers: &Numbers, remark: &str) -> String {
    let remark = if remark.is_empty() {
        String::new()
    } else {
        format!(" ({remark})")
    };
    let (figure, arrow) = (figure(numbers), format::arrow(numbers.change));
    format!("{} {figure} {arrow}{remark}", cut(name, NAME))
}

fn tooltip(content: &Content, sum: Option<&Numbers>) -> String {
    let title = markup().own("<b>").text(&content.title);
    let mut lines = vec![title.own("</b> · ").text(content.caption())];
    if let Some(sum) = sum.filter(|_| content.rows.len() > 1) {
        let of = content.total().partly();
        let of = of.as_deref().unwrap_or("Total");
        let change = format::arrow(sum.change);
        lines.push(markup().text(format!("{of}  {}  {change}", figure(sum))));
    }
    for row in content.rows.iter().take(IN_TOOLTIP) {
        let numbers = match &row.numbers {
            Some(numbers) => format!("{}  {}", figure(numbers), format::arrow(numbers.change)),
            None => "–".to_owned(),
        };
        let line = markup().text(format!("{}  {numbers}", row.name));
        let remark = remark(content, row);
        lines.push(if remark.is_empty() {
            line
        } else {
            line.text(format!("  ({remark})"))
        });
    }
    let more = content.rows.len().saturating_sub(IN_TOOLTIP);
    if more > 0 {
        lines.push(markup().text(format!("and {more} more")));
    }
    let moved = moved(content, IN_TOOLTIP).into_iter();
    lines.extend(moved.map(|(_, moved)| markup().text(moved)));
    if let Some(sum) = sum {
        let age = format::ago(sum.measured_at, content.now);
        let line = markup().own("<small>Measured ").text(age);
        lines.push(line.own("</small>"));
    }
    if let Some(sentence) = sentence(content) {
        lines.push(markup().own("<i>").text(sentence).own("</i>"));
    }
    let lines: Vec<String> = lines.into_iter().map(Marked::line).collect();
    lines.join("\n")
}

fn markup() -> Marked {
    Marked::new(escaped)
}

/// Escaped for Pango markup, which is XML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::*;
    use super::*;

    #[test]
    fn every_state_in_waybar() {
        insta::assert_snapshot!(printed(waybar));
    }

    #[test]
    fn what_has_moved_is_a_class() {
        let classes = |kind| {
            let rows = vec![moved_row(1, "Acorn Market", kind)];
            let line = waybar(&content(rows, State::Fresh, None));
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            value["class"].to_string()
        };
        assert_eq!(classes(Kind::Drop), r#"["fresh","down","moved"]"#);
        assert_eq!(classes(Kind::Silent), r#"["fresh","flat","silent"]"#);
        assert_eq!(classes(Kind::BackToUsual), r#"["fresh","flat"]"#);
    }

    #[test]
    fn every_line_follows_the_protocol() {
        for (name, content) in all() {
            let line = waybar(&content);
            assert_eq!(line.matches('\n').count(), 1, "{name}");
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            for member in ["text", "alt", "tooltip"] {
                let text = value[member].as_str().unwrap();
                assert!(!text.is_empty(), "{name}: {member}");
                assert!(!text.contains('\x1b'), "{name}: {member}");
            }
            let classes = value["class"].as_array().unwrap();
            assert_eq!(classes[0], content.state.name());
            assert!(classes.iter().all(serde_json::Value::is_string));
        }
    }
}
