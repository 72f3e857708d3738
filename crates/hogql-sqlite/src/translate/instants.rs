//! Instants, days, and the functions that cut time into stretches.

use jiff::tz::TimeZone;

use super::Translator;
use super::refusals::illegal;
use crate::error::QueryError;
use crate::functions;
use crate::sql::{Sql, literal};
use crate::syntax::Unit;
use crate::types::{Kind, Type};

impl Translator<'_> {
    fn timestamp(&self, zone: &str) -> Kind {
        let _ = self;
        Kind::Timestamp {
            zone: zone.to_owned(),
            fractions: false,
        }
    }

    pub(super) fn now(&mut self) -> Result<Sql, QueryError> {
        let kind = self.timestamp(self.schema.zone);
        Ok(Sql::new(self.schema.now.to_string(), Type::plain(kind)))
    }

    /// The day, some days back, in the server's zone: it knows nothing of the project's.
    pub(super) fn today(&mut self, back: i64) -> Result<Sql, QueryError> {
        let days = self.schema.now.div_euclid(86_400) - back;
        Ok(Sql::new(days.to_string(), Type::plain(Kind::Date)))
    }

    /// The zone that is given in the text, or else the project's.
    pub(super) fn zone(&self, argument: Option<&Sql>) -> Result<String, QueryError> {
        let Some(argument) = argument else {
            return Ok(self.schema.zone.to_owned());
        };
        let name = argument
            .text_constant()
            .ok_or_else(|| illegal("toTimeZone", &argument.ty))?;
        TimeZone::get(name).map_err(|_| {
            QueryError::new("bad_arguments", format!("Cannot load time zone {name}"))
        })?;
        Ok(name.to_owned())
    }

    /// Anything that means an instant, with the zone that it is looked at in.
    pub(super) fn instant(&mut self, value: Sql) -> Result<(Sql, String), QueryError> {
        let zone = match &value.ty.kind {
            Kind::Timestamp { zone, .. } => zone.clone(),
            _ => self.schema.zone.to_owned(),
        };
        Ok((self.instant_in(value, &zone)?, zone))
    }

    /// Anything that means an instant; texts and days are meant in `zone`.
    pub(super) fn instant_in(&mut self, value: Sql, zone: &str) -> Result<Sql, QueryError> {
        let kind = self.timestamp(zone);
        let ty = Type {
            kind,
            nullable: value.ty.nullable,
        };
        Ok(match &value.ty.kind {
            Kind::Timestamp { .. } => value,
            Kind::Date => Sql::of(
                format!("h_midnight({}, {})", value.text, literal(zone)),
                ty,
                &[&value],
            ),
            Kind::Text => {
                if let Some(text) = value.text_constant() {
                    let known = TimeZone::get(zone)
                        .ok()
                        .and_then(|zone| functions::instant(text, &zone));
                    let Some(at) = known else {
                        return Err(QueryError::new(
                            "cannot_parse_datetime",
                            format!("Cannot parse datetime {text}"),
                        ));
                    };
                    return Ok(Sql::of(at.to_string(), ty, &[]));
                }
                Sql::of(
                    format!("h_instant({}, {})", value.text, literal(zone)),
                    ty.or_null(true),
                    &[&value],
                )
            }
            Kind::Nothing => Sql::of("NULL".to_owned(), ty, &[&value]),
            number if number.is_number() => {
                Sql::of(format!("CAST({} AS INTEGER)", value.text), ty, &[&value])
            }
            _ => return Err(illegal("toDateTime", &value.ty)),
        })
    }

    /// Anything that means a day.
    pub(super) fn date(&mut self, value: Sql) -> Result<Sql, QueryError> {
        let ty = Type {
            kind: Kind::Date,
            nullable: value.ty.nullable,
        };
        Ok(match &value.ty.kind {
            Kind::Date => value,
            Kind::Text => {
                if let Some(text) = value.text_constant()
                    && text
                        .get(..10)
                        .and_then(|text| text.parse::<jiff::civil::Date>().ok())
                        .is_none()
                {
                    return Err(QueryError::new(
                        "cannot_parse_date",
                        format!("Cannot parse date {text}"),
                    ));
                }
                let nullable = value.text_constant().is_none();
                Sql::of(
                    format!("h_date({})", value.text),
                    ty.or_null(nullable),
                    &[&value],
                )
            }
            _ => {
                let (at, zone) = self.instant(value)?;
                Sql::of(
                    format!("h_day({}, {})", at.text, literal(&zone)),
                    ty,
                    &[&at],
                )
            }
        })
    }

    /// The start of the hour, day, week … that contains an instant.
    pub(super) fn start(
        &mut self,
        unit: &str,
        count: &str,
        value: Sql,
        zone: Option<&Sql>,
    ) -> Result<Sql, QueryError> {
        if matches!(unit, "week" | "sunday" | "month" | "quarter" | "year") {
            let value = match zone {
                Some(zone) => {
                    let zone = self.zone(Some(zone))?;
                    self.shown_in(value, &zone)?
                }
                None => value,
            };
            let day = self.date(value)?;
            return Ok(Sql::of(
                format!("h_start_day('{unit}', {count}, {})", day.text),
                day.ty.clone(),
                &[&day],
            ));
        }
        let (at, own) = self.instant(value)?;
        let zone = match zone {
            Some(zone) => self.zone(Some(zone))?,
            None => own,
        };
        let kind = self.timestamp(&zone);
        Ok(Sql::of(
            format!(
                "h_start('{unit}', {count}, {}, {})",
                at.text,
                literal(&zone)
            ),
            Type::plain(kind).or_null(at.ty.nullable),
            &[&at],
        ))
    }

    /// The same instant, looked at in another zone.
    pub(super) fn shown_in(&mut self, value: Sql, zone: &str) -> Result<Sql, QueryError> {
        let (at, _) = self.instant(value)?;
        let fractions = matches!(
            at.ty.kind,
            Kind::Timestamp {
                fractions: true,
                ..
            }
        );
        Ok(Sql {
            ty: Type {
                kind: Kind::Timestamp {
                    zone: zone.to_owned(),
                    fractions,
                },
                nullable: at.ty.nullable,
            },
            ..at
        })
    }

    /// `toHour(x)` and its like.
    pub(super) fn part(
        &mut self,
        name: &str,
        value: Sql,
        zone: Option<&Sql>,
    ) -> Result<Sql, QueryError> {
        let (at, own) = self.instant(value)?;
        let zone = match zone {
            Some(zone) => self.zone(Some(zone))?,
            None => own,
        };
        let kind = Kind::Integer(match name {
            "toYear" | "toDayOfYear" | "toISOYear" => "UInt16",
            "toYYYYMM" | "toYYYYMMDD" => "UInt32",
            _ => "UInt8",
        });
        Ok(Sql::of(
            format!("h_part('{name}', {}, {})", at.text, literal(&zone)),
            Type::plain(kind).or_null(at.ty.nullable),
            &[&at],
        ))
    }

    /// An instant or a day, moved by some units.
    pub(super) fn shifted(
        &mut self,
        value: Sql,
        count: &Sql,
        unit: Unit,
        back: bool,
    ) -> Result<Sql, QueryError> {
        let sign = if back { "-" } else { "" };
        let nullable = value.ty.nullable || count.ty.nullable;
        let count_text = format!("{sign}({})", count.text);
        if value.ty.kind == Kind::Date && !matches!(unit, Unit::Second | Unit::Minute | Unit::Hour)
        {
            let moved = format!(
                "h_day(h_add({} * 86400, {count_text}, '{}', 'UTC'), 'UTC')",
                value.text,
                unit.name()
            );
            return Ok(Sql::of(
                moved,
                Type::plain(Kind::Date).or_null(nullable),
                &[&value, count],
            ));
        }
        if !value.ty.kind.is_time() && value.ty.kind != Kind::Text {
            return Err(illegal("plus", &value.ty));
        }
        let (at, zone) = self.instant(value)?;
        let ty = at.ty.clone().or_null(nullable);
        Ok(Sql::of(
            format!(
                "h_add({}, {count_text}, '{}', {})",
                at.text,
                unit.name(),
                literal(&zone)
            ),
            ty,
            &[&at, count],
        ))
    }

    pub(super) fn difference(
        &mut self,
        unit: Unit,
        from: Sql,
        until: Sql,
        zone: Option<&Sql>,
    ) -> Result<Sql, QueryError> {
        let (from, own) = self.instant(from)?;
        let (until, _) = self.instant(until)?;
        let zone = match zone {
            Some(zone) => self.zone(Some(zone))?,
            None => own,
        };
        Ok(Sql::of(
            format!(
                "h_between('{}', {}, {}, {})",
                unit.name(),
                from.text,
                until.text,
                literal(&zone)
            ),
            Type::plain(Kind::Integer("Int64")).or_null(from.ty.nullable || until.ty.nullable),
            &[&from, &until],
        ))
    }

    pub(super) fn formatted(
        &mut self,
        value: Sql,
        pattern: &str,
        zone: Option<&Sql>,
    ) -> Result<Sql, QueryError> {
        let (at, own) = self.instant(value)?;
        let zone = match zone {
            Some(zone) => self.zone(Some(zone))?,
            None => own,
        };
        Ok(Sql::of(
            format!(
                "h_format({}, {}, {})",
                at.text,
                literal(pattern),
                literal(&zone)
            ),
            Type::plain(Kind::Text).or_null(at.ty.nullable),
            &[&at],
        ))
    }

    /// Any value as text.
    pub(super) fn to_text(&mut self, value: Sql) -> Result<Sql, QueryError> {
        let ty = Type::plain(Kind::Text).or_null(value.ty.nullable);
        Ok(match &value.ty.kind {
            Kind::Text => value,
            Kind::Uuid => Sql { ty, ..value },
            Kind::Timestamp { .. } => self.formatted(value, "%F %T", None)?,
            Kind::Date => Sql::of(format!("h_date_text({})", value.text), ty, &[&value]),
            Kind::Boolean => Sql::of(
                format!(
                    "(CASE {} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END)",
                    value.text
                ),
                ty,
                &[&value],
            ),
            _ => Sql::of(format!("h_toString({})", value.text), ty, &[&value]),
        })
    }
}
