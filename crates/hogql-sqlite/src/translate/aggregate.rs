//! Aggregations, alone, with `If`, and over windows.

use super::Translator;
use super::expression::as_member;
use super::refusals::illegal;
use super::scope::Scope;
use crate::error::QueryError;
use crate::sql::{Sql, literal};
use crate::syntax::{Bound, Call, Constant, ExpressionKind, Window};
use crate::types::{Kind, Type};

/// Name, and how many arguments without the condition of `If`.
pub(super) const AGGREGATIONS: [(&str, (usize, usize)); 27] = [
    ("count", (0, 1)),
    ("countDistinct", (1, 8)),
    ("sum", (1, 1)),
    ("avg", (1, 1)),
    ("min", (1, 1)),
    ("max", (1, 1)),
    ("any", (1, 1)),
    ("anyLast", (1, 1)),
    ("uniq", (1, 8)),
    ("uniqExact", (1, 8)),
    ("uniqHLL12", (1, 8)),
    ("uniqTheta", (1, 8)),
    ("quantile", (1, 1)),
    ("quantiles", (1, 1)),
    ("median", (1, 1)),
    ("argMin", (2, 2)),
    ("argMax", (2, 2)),
    ("groupArray", (1, 1)),
    ("groupUniqArray", (1, 1)),
    ("topK", (1, 1)),
    ("stddevPop", (1, 1)),
    ("stddevSamp", (1, 1)),
    ("varPop", (1, 1)),
    ("varSamp", (1, 1)),
    ("first_value", (1, 1)),
    ("last_value", (1, 1)),
    ("nth_value", (2, 2)),
];

/// Functions that exist over windows only.
pub(super) const OVER_WINDOWS: [(&str, (usize, usize)); 9] = [
    ("row_number", (0, 0)),
    ("rank", (0, 0)),
    ("dense_rank", (0, 0)),
    ("percent_rank", (0, 0)),
    ("ntile", (1, 1)),
    ("lag", (1, 3)),
    ("lead", (1, 3)),
    ("lagInFrame", (1, 3)),
    ("leadInFrame", (1, 3)),
];

/// An aggregation's own name and whether `If` follows it.
pub(super) fn aggregation(name: &str) -> Option<(&'static str, (usize, usize), bool)> {
    let known = |name: &str| {
        AGGREGATIONS
            .iter()
            .find(|(known, _)| *known == name)
            .copied()
    };
    known(name)
        .map(|(name, arity)| (name, arity, false))
        .or_else(|| known(name.strip_suffix("If")?).map(|(name, arity)| (name, arity, true)))
}

impl Translator<'_> {
    pub(super) fn aggregate<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        call: &'q Call,
        name: &'static str,
        conditional: bool,
    ) -> Result<Sql, QueryError> {
        let star = matches!(call.arguments.first(), Some(argument) if matches!(argument.kind, ExpressionKind::Star(_)));
        let mut arguments = if star && name == "count" {
            Vec::new()
        } else {
            self.all(scope, &call.arguments)?
        };
        let condition = if conditional {
            let condition = arguments
                .pop()
                .map(|condition| self.truth(condition))
                .transpose()?;
            condition.map(|condition| condition.text)
        } else {
            None
        };
        let parameters = match &call.parameters {
            Some(parameters) => self.all(scope, parameters)?,
            None => Vec::new(),
        };
        if call.over.is_none() && arguments.iter().any(|argument| argument.aggregates) {
            return Err(QueryError::new(
                "illegal_aggregation",
                format!(
                    "Aggregation '{}' cannot be nested inside another aggregation.",
                    call.name
                ),
            ));
        }
        let distinct = call.distinct || name == "countDistinct";
        let (text, ty) = self.aggregated(
            name,
            &arguments,
            condition.as_deref(),
            &parameters,
            distinct,
        )?;
        let Some(window) = &call.over else {
            let mut sql = Sql::new(text(""), ty);
            sql.aggregates = true;
            return Ok(sql);
        };
        if text("").contains("h_") && !matches!(name, "count" | "sum" | "avg" | "min" | "max")
            || distinct
        {
            return Err(QueryError::unsupported(&format!(
                "{} over a window",
                call.name
            )));
        }
        let parts: Vec<&Sql> = arguments.iter().collect();
        let mut sql = Sql::of(String::new(), ty, &parts);
        let over = self.over(scope, window, &mut sql)?;
        sql.text = text(&over);
        sql.windows = true;
        Ok(sql)
    }

    /// The SQL around an OVER clause that may follow, and the type.
    #[expect(
        clippy::type_complexity,
        reason = "a function of the OVER clause, and a type"
    )]
    fn aggregated(
        &mut self,
        name: &'static str,
        arguments: &[Sql],
        condition: Option<&str>,
        parameters: &[Sql],
        distinct: bool,
    ) -> Result<(Box<dyn Fn(&str) -> String>, Type), QueryError> {
        let filtered = |text: &str| match condition {
            Some(condition) => format!("CASE WHEN {condition} THEN {text} END"),
            None => text.to_owned(),
        };
        let first = arguments.first();
        let value = first.map(|sql| filtered(&sql.text)).unwrap_or_default();
        let ty = first.map_or(Type::plain(Kind::Nothing), |sql| sql.ty.clone());
        let numeric = |translator: &Self| match first {
            Some(sql) => translator.number_only(name, sql),
            None => Ok(()),
        };
        let plain =
            |text: String, ty: Type| -> Result<(Box<dyn Fn(&str) -> String>, Type), QueryError> {
                Ok((Box::new(move |over: &str| format!("{text}{over}")), ty))
            };
        // Over no rows, ClickHouse gives a type's default, and NULL only to what can be NULL.
        let defaulted =
            |text: String, ty: Type| -> Result<(Box<dyn Fn(&str) -> String>, Type), QueryError> {
                if ty.nullable {
                    return plain(text, ty);
                }
                let default = ty.kind.default_sql();
                Ok((
                    Box::new(move |over: &str| format!("ifnull({text}{over}, {default})")),
                    ty,
                ))
            };
        let level = |at: usize| -> Result<String, QueryError> {
            let Some(level) = parameters.get(at) else {
                return Ok("0.5".to_owned());
            };
            match level.constant {
                Some(Constant::Float(_) | Constant::Integer(0 | 1)) => Ok(level.text.clone()),
                _ => Err(QueryError::new(
                    "invalid_input",
                    "The level of a quantile is a number between 0 and 1",
                )),
            }
        };
        let whole_parameter = || -> Result<Option<String>, QueryError> {
            match parameters
                .first()
                .map(|parameter| (&parameter.constant, &parameter.text))
            {
                None => Ok(None),
                Some((Some(Constant::Integer(1..)), text)) => Ok(Some(text.clone())),
                Some(_) => Err(QueryError::new(
                    "invalid_input",
                    format!("The parameter of {name} is a whole number"),
                )),
            }
        };
        match name {
            "count" if !distinct => match first {
                None => match condition {
                    Some(condition) => plain(
                        format!("count(CASE WHEN {condition} THEN 1 END)"),
                        Type::plain(Kind::COUNT),
                    ),
                    None => plain("count(*)".to_owned(), Type::plain(Kind::COUNT)),
                },
                Some(sql) => plain(
                    format!("count({})", filtered(sql.key_text())),
                    Type::plain(Kind::COUNT),
                ),
            },
            "count" | "countDistinct" | "uniq" | "uniqExact" | "uniqHLL12" | "uniqTheta" => {
                let keys: Vec<String> = arguments
                    .iter()
                    .map(|sql| filtered(sql.key_text()))
                    .collect();
                plain(
                    format!("h_unique({})", keys.join(", ")),
                    Type::plain(Kind::COUNT),
                )
            }
            "sum" => {
                numeric(self)?;
                let kind = match &ty.kind {
                    Kind::Float => Kind::Float,
                    Kind::Integer(name) if name.starts_with('I') => Kind::Integer("Int64"),
                    _ => Kind::COUNT,
                };
                let what = if distinct {
                    format!("DISTINCT {value}")
                } else {
                    value
                };
                defaulted(
                    format!("sum({what})"),
                    Type {
                        kind,
                        nullable: ty.nullable,
                    },
                )
            }
            "avg" => {
                numeric(self)?;
                plain(
                    format!("avg({value})"),
                    Type::plain(Kind::Float).or_null(ty.nullable),
                )
            }
            "min" | "max" => {
                // Identifiers are compared as texts, and made from numbers only then.
                defaulted(format!("{name}({value})"), ty)
            }
            "any" => defaulted(format!("h_any({value})"), ty),
            "anyLast" => defaulted(format!("h_any_last({value})"), ty),
            "quantile" | "median" => {
                numeric(self)?;
                plain(
                    format!("h_quantile({value}, {})", level(0)?),
                    Type::plain(Kind::Float).or_null(ty.nullable),
                )
            }
            "quantiles" => {
                numeric(self)?;
                let levels: Vec<String> = (0..parameters.len().max(1))
                    .map(|at| Ok(format!("h_quantile({value}, {})", level(at)?)))
                    .collect::<Result<_, QueryError>>()?;
                let element = Box::new(Type::plain(Kind::Float));
                plain(
                    format!("json_array({})", levels.join(", ")),
                    Type::plain(Kind::Array(element)),
                )
            }
            "argMin" | "argMax" => {
                let by = arguments
                    .get(1)
                    .map(|sql| sql.text.clone())
                    .unwrap_or_default();
                let function = if name == "argMin" {
                    "h_least"
                } else {
                    "h_most"
                };
                defaulted(format!("{function}({value}, {by})"), ty)
            }
            "groupArray" | "groupUniqArray" => {
                let member = first.map(as_member).unwrap_or_default();
                let distinct = if name == "groupUniqArray" || distinct {
                    "DISTINCT "
                } else {
                    ""
                };
                let mut filter = format!(
                    "({}) IS NOT NULL",
                    first.map_or("NULL", |sql| sql.text.as_str())
                );
                if let Some(condition) = condition {
                    filter.push_str(&format!(" AND ({condition})"));
                }
                let element = Type {
                    nullable: false,
                    ..ty
                };
                let mut text =
                    format!("json_group_array({distinct}{member}) FILTER (WHERE {filter})");
                if let Some(most) = whole_parameter()? {
                    text = format!("h_arraySlice({text}, 1, {most})");
                }
                plain(text, Type::plain(Kind::Array(Box::new(element))))
            }
            "topK" => {
                let most = whole_parameter()?.unwrap_or_else(|| "10".to_owned());
                let element = Type {
                    nullable: false,
                    ..ty
                };
                plain(
                    format!("h_top({value}, {most})"),
                    Type::plain(Kind::Array(Box::new(element))),
                )
            }
            "stddevPop" | "stddevSamp" | "varPop" | "varSamp" => {
                numeric(self)?;
                plain(
                    format!("h_moment({value}, {})", literal(name)),
                    Type::plain(Kind::Float),
                )
            }
            "first_value" | "last_value" => {
                let function = if name == "first_value" {
                    "h_any"
                } else {
                    "h_any_last"
                };
                let text = format!("{function}({value})");
                let window = format!("{name}({value})");
                Ok((
                    Box::new(move |over: &str| {
                        if over.is_empty() {
                            text.clone()
                        } else {
                            format!("{window}{over}")
                        }
                    }),
                    ty.or_null(condition.is_some()),
                ))
            }
            _ => {
                let nth = arguments
                    .get(1)
                    .map(|sql| sql.text.clone())
                    .unwrap_or_default();
                plain(format!("nth_value({value}, {nth})"), ty.or_null(true))
            }
        }
    }

    /// `row_number()` and the others that need a window.
    pub(super) fn over_window<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        call: &'q Call,
        name: &'static str,
        window: &'q Window,
    ) -> Result<Sql, QueryError> {
        let arguments = self.all(scope, &call.arguments)?;
        let texts: Vec<&str> = arguments.iter().map(|sql| sql.text.as_str()).collect();
        let parts: Vec<&Sql> = arguments.iter().collect();
        let ty = match name {
            "row_number" | "rank" | "dense_rank" | "ntile" => Type::plain(Kind::COUNT),
            "percent_rank" => Type::plain(Kind::Float),
            _ => arguments
                .first()
                .map_or(Type::nullable(Kind::Nothing), |sql| sql.ty.clone()),
        };
        let function = match name {
            "lagInFrame" => "lag",
            "leadInFrame" => "lead",
            same => same,
        };
        let mut text = format!("{function}({})", texts.join(", "));
        let mut sql = Sql::of(String::new(), ty, &parts);
        let over = self.over(scope, window, &mut sql)?;
        text.push_str(&over);
        if matches!(function, "lag" | "lead") && arguments.len() < 3 && !sql.ty.nullable {
            text = format!("ifnull({text}, {})", sql.ty.kind.default_sql());
        }
        sql.text = text;
        sql.windows = true;
        Ok(sql)
    }

    /// The OVER clause; what it looks at is noted in `whole`.
    fn over<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        window: &'q Window,
        whole: &mut Sql,
    ) -> Result<String, QueryError> {
        let window = match &window.name {
            Some(name) => *scope.windows.get(name.as_str()).ok_or_else(|| {
                QueryError::new("invalid_input", format!("Unknown window `{name}`."))
            })?,
            None => window,
        };
        let mut clauses = Vec::new();
        let partition = self.all(scope, &window.partition_by)?;
        if !partition.is_empty() {
            let keys: Vec<&str> = partition.iter().map(Sql::key_text).collect();
            clauses.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        let orders = self.orders(scope, &window.order_by, None)?;
        if !orders.is_empty() {
            let texts: Vec<String> = orders
                .iter()
                .map(|(sql, direction)| format!("{}{direction}", sql.text))
                .collect();
            clauses.push(format!("ORDER BY {}", texts.join(", ")));
        }
        if let Some((unit, from, until)) = &window.frame {
            clauses.push(format!(
                "{unit} BETWEEN {} AND {}",
                bound(from),
                bound(until)
            ));
        }
        for sql in partition.iter().chain(orders.iter().map(|(sql, _)| sql)) {
            whole.aggregates |= sql.aggregates;
            if whole.ungrouped.is_none() {
                whole.ungrouped.clone_from(&sql.ungrouped);
            }
        }
        Ok(format!(" OVER ({})", clauses.join(" ")))
    }

    /// The number of arguments that a function takes.
    #[expect(clippy::unused_self, reason = "reads as the others do")]
    pub(super) fn arity(
        &self,
        name: &str,
        (fewest, most): (usize, usize),
        found: usize,
    ) -> Result<(), QueryError> {
        if (fewest..=most).contains(&found) {
            return Ok(());
        }
        let expected = if fewest == most {
            format!("{fewest}")
        } else {
            format!("{fewest} to {most}")
        };
        let plural = if fewest == most && fewest == 1 {
            ""
        } else {
            "s"
        };
        Err(QueryError::new(
            "invalid_input",
            format!("Function '{name}' expects {expected} argument{plural}, found {found}"),
        ))
    }

    pub(super) fn array_of(&self, what: &str, value: &Sql) -> Result<Type, QueryError> {
        let _ = self;
        match &value.ty.kind {
            Kind::Array(element) => Ok((**element).clone()),
            _ => Err(illegal(what, &value.ty)),
        }
    }
}

fn bound(bound: &Bound) -> String {
    match bound {
        Bound::UnboundedPreceding => "UNBOUNDED PRECEDING".to_owned(),
        Bound::Preceding(rows) => format!("{rows} PRECEDING"),
        Bound::CurrentRow => "CURRENT ROW".to_owned(),
        Bound::Following(rows) => format!("{rows} FOLLOWING"),
        Bound::UnboundedFollowing => "UNBOUNDED FOLLOWING".to_owned(),
    }
}
