//! The query of a digest, and what its rows mean.

use jiff::Timestamp;
use posthog_api::{HogQl, Rows};

use super::{ClosedFigures, ClosedStretch, MOST_ROWS};
use crate::overview::hogql::{VIEWS, between, instant};
use crate::overview::rows::Table;
use crate::overview::{Asked, ConversionFigure, Counts, Row, RowsError};

impl ClosedFigures {
    /// The one query that brings all of it. Event names travel as placeholder values.
    #[must_use]
    pub fn query(stretch: &ClosedStretch, asked: &Asked) -> HogQl {
        let whole = between(stretch.before, stretch.until);
        let these = between(stretch.from, stretch.until);
        let start = instant(stretch.from);
        let persons = format!(
            "uniqExactIf(person_id, timestamp >= {start}) AS now, \
             uniqExactIf(person_id, timestamp < {start}) AS before"
        );
        let mut text = format!(
            "SELECT kind, label, now, before, pageviews, pageviews_before FROM (\
             SELECT 'total' AS kind, '' AS label, {persons}, \
             countIf(timestamp >= {start}) AS pageviews, countIf(timestamp < {start}) AS pageviews_before \
             FROM events WHERE {VIEWS} AND {whole} \
             UNION ALL \
             SELECT kind, label, now, before, pageviews, pageviews_before FROM (\
             SELECT 'page' AS kind, ifNull(toString(properties.$pathname), '') AS label, \
             uniqExact(person_id) AS now, 0 AS before, count() AS pageviews, 0 AS pageviews_before \
             FROM events WHERE {VIEWS} AND {these} \
             GROUP BY label HAVING label != '' ORDER BY now DESC, label LIMIT {MOST_ROWS}) \
             UNION ALL \
             SELECT kind, label, now, before, pageviews, pageviews_before FROM (\
             SELECT 'referrer' AS kind, ifNull(toString(session.$entry_referring_domain), '') AS label, {persons}, \
             countIf(timestamp >= {start}) AS pageviews, countIf(timestamp < {start}) AS pageviews_before \
             FROM events WHERE {VIEWS} AND {whole} \
             GROUP BY label HAVING label != '' AND label != '$direct' AND now > 0 AND before = 0 \
             ORDER BY now DESC, label LIMIT {MOST_ROWS})"
        );
        for nth in 0..asked.conversions.len() {
            let branch = format!(
                " UNION ALL SELECT 'conversion' AS kind, '{nth}' AS label, {persons}, \
                 0 AS pageviews, 0 AS pageviews_before \
                 FROM events WHERE event = {{conversion_{nth}}} AND {whole}"
            );
            text.push_str(&branch);
        }
        text.push_str(") LIMIT 100");
        let query = asked.conversions.iter().enumerate().fold(
            HogQl::new("pockethog digest", text),
            |query, (nth, event)| query.set(&format!("conversion_{nth}"), event.as_str()),
        );
        asked.left_out.of(query)
    }

    /// Reads the rows of [`ClosedFigures::query`].
    ///
    /// # Errors
    ///
    /// Rows that are not what was asked for.
    pub fn from_rows(
        stretch: ClosedStretch,
        asked: Asked,
        measured_at: Timestamp,
        rows: &Rows,
    ) -> Result<Self, RowsError> {
        let conversions = asked
            .conversions
            .iter()
            .map(|event| ConversionFigure {
                event: event.clone(),
                persons: 0,
                persons_before: 0,
            })
            .collect();
        let mut read = Self {
            measured_at,
            asked,
            stretch,
            now: Counts::default(),
            before: Counts::default(),
            conversions,
            pages: Vec::new(),
            new_referrers: Vec::new(),
            explained: None,
        };
        let columns = [
            "kind",
            "label",
            "now",
            "before",
            "pageviews",
            "pageviews_before",
        ];
        for row in Table::new(rows, columns)?.iter() {
            let (label, now, before) = (row.text(1), row.count(2)?, row.count(3)?);
            let line = || Row {
                label: label.to_owned(),
                visitors: now,
            };
            match row.text(0) {
                "total" => {
                    read.now = Counts {
                        visitors: now,
                        pageviews: row.count(4)?,
                    };
                    read.before = Counts {
                        visitors: before,
                        pageviews: row.count(5)?,
                    };
                }
                "page" => read.pages.push(line()),
                "referrer" => read.new_referrers.push(line()),
                "conversion" => {
                    let nth: Option<usize> = label.parse().ok();
                    if let Some(known) = nth.and_then(|nth| read.conversions.get_mut(nth)) {
                        known.persons = now;
                        known.persons_before = before;
                    }
                }
                _ => {}
            }
        }
        for list in [&mut read.pages, &mut read.new_referrers] {
            list.sort_by(|a, b| {
                let more = b.visitors.cmp(&a.visitors);
                more.then_with(|| a.label.cmp(&b.label))
            });
            list.truncate(MOST_ROWS);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::Span;
    use super::*;

    #[test]
    fn rows_in_any_order_become_figures_and_lists() {
        let stretch = ClosedStretch {
            span: Span::Day,
            before: Timestamp::from_second(0).unwrap(),
            from: Timestamp::from_second(86_400).unwrap(),
            until: Timestamp::from_second(172_800).unwrap(),
        };
        let row = |kind, label, counts: [u64; 4]| {
            let mut row = vec![json!(kind), json!(label)];
            row.extend(counts.map(|count| json!(count)));
            row
        };
        let rows = Rows {
            columns: [
                "kind",
                "label",
                "now",
                "before",
                "pageviews",
                "pageviews_before",
            ]
            .map(ToOwned::to_owned)
            .to_vec(),
            rows: vec![
                row("page", "/b", [2, 0, 2, 0]),
                row("conversion", "1", [3, 4, 0, 0]),
                row("total", "", [7, 5, 20, 10]),
                row("page", "/a", [6, 0, 9, 0]),
                row("referrer", "lobste.rs", [4, 0, 4, 0]),
                row("conversion", "9", [9, 9, 0, 0]),
            ],
            ..Rows::default()
        };
        let asked = Asked::new("UTC", &["Signed up".to_owned(), "Paid".to_owned()]);
        let read = ClosedFigures::from_rows(stretch, asked, stretch.until, &rows).unwrap();
        assert_eq!((read.now.visitors, read.before.pageviews), (7, 10));
        let pages: Vec<&str> = read.pages.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(pages, ["/a", "/b"]);
        assert_eq!(read.new_referrers[0].label, "lobste.rs");
        let converted: Vec<_> = read.conversions.iter().map(|one| one.persons).collect();
        assert_eq!(converted, [0, 3]);
    }
}
