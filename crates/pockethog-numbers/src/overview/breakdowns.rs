//! Where visitors of a range came from and what they looked at: the first of each list.

use jiff::Timestamp;
use posthog_api::{HogQl, Rows};
use serde::{Deserialize, Serialize};

use super::LeftOut;
use super::hogql::{VIEWS, between};
use super::rows::{RowsError, Table};
use super::window::{Range, Window};

/// Rows per list: a page shows the first of them and the others on request.
const ROWS: usize = 50;

/// The lists of the project page over one range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakdowns {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// The range.
    pub range: Range,
    /// The lists, in the order of [`Breakdown::ALL`].
    pub lists: Vec<(Breakdown, Vec<Row>)>,
    /// What was left out.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
}

/// What a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Breakdown {
    /// `$pathname` of the views.
    Pages,
    /// Referring domain of the first view of the session, as PostHog's own screen counts.
    Referrers,
    /// Country code by GeoIP.
    Countries,
    /// `$device_type`.
    Devices,
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The value; empty if PostHog has none.
    pub label: String,
    /// Unique persons.
    pub visitors: u64,
}

impl Breakdown {
    /// All lists, in the order they are shown.
    pub const ALL: [Self; 4] = [Self::Pages, Self::Referrers, Self::Countries, Self::Devices];

    /// `pages`, `referrers`, `countries` or `devices`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Referrers => "referrers",
            Self::Countries => "countries",
            Self::Devices => "devices",
        }
    }

    fn expression(self) -> &'static str {
        match self {
            Self::Pages => "properties.$pathname",
            Self::Referrers => "session.$entry_referring_domain",
            Self::Countries => "properties.$geoip_country_code",
            Self::Devices => "properties.$device_type",
        }
    }
}

impl Breakdowns {
    /// The one query that brings all lists.
    pub fn query(window: &Window) -> HogQl {
        let range = between(window.from(), window.until);
        let branches: Vec<String> = Breakdown::ALL
            .into_iter()
            .map(|list| {
                // A view without a page, of a mobile screen, is no page; elsewhere what is missing counts.
                let having = if list == Breakdown::Pages {
                    "HAVING label != '' "
                } else {
                    ""
                };
                format!(
                    "SELECT kind, label, visitors FROM (\
                     SELECT '{name}' AS kind, ifNull(toString({value}), '') AS label, \
                     uniqExact(person_id) AS visitors \
                     FROM events WHERE {VIEWS} AND {range} \
                     GROUP BY label {having}ORDER BY visitors DESC, label LIMIT {ROWS})",
                    name = list.name(),
                    value = list.expression(),
                )
            })
            .collect();
        let text = format!(
            "SELECT kind, label, visitors FROM ({}) LIMIT {}",
            branches.join(" UNION ALL "),
            ROWS * Breakdown::ALL.len()
        );
        HogQl::new("pockethog breakdowns", text)
    }

    /// Reads the rows of [`Breakdowns::query`].
    pub fn from_rows(range: Range, measured_at: Timestamp, rows: &Rows) -> Result<Self, RowsError> {
        let mut lists: Vec<_> = Breakdown::ALL
            .into_iter()
            .map(|list| (list, Vec::new()))
            .collect();
        for row in Table::new(rows, ["kind", "label", "visitors"])?.iter() {
            if let Some((_, list)) = lists
                .iter_mut()
                .find(|(list, _)| list.name() == row.text(0))
            {
                list.push(Row {
                    label: row.text(1).to_owned(),
                    visitors: row.count(2)?,
                });
            }
        }
        for (_, list) in &mut lists {
            list.sort_by(|a, b| {
                b.visitors
                    .cmp(&a.visitors)
                    .then_with(|| a.label.cmp(&b.label))
            });
        }
        Ok(Self {
            measured_at,
            range,
            lists,
            left_out: LeftOut::default(),
        })
    }
}
