//! The types of ClickHouse, as far as they change what a value means or how it is shown.

use std::fmt;

/// A type, and whether NULL belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Type {
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
}

/// What a value is, and in brackets how SQLite keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// NULL itself.
    Nothing,
    /// (0 or 1)
    Boolean,
    /// (integer) The name says the width.
    Integer(&'static str),
    /// (real)
    Float,
    /// (text)
    Text,
    /// (text)
    Uuid,
    /// (Unix seconds) The zone that it is shown in, and whether fractions would be.
    Timestamp { zone: String, fractions: bool },
    /// (days since 1970)
    Date,
    /// (number of units) A difference to be added to an instant.
    Interval(crate::syntax::Unit),
    /// (JSON text)
    Array(Box<Type>),
    /// (JSON text of an array)
    Tuple(Vec<Type>),
}

impl Kind {
    pub(crate) const COUNT: Self = Self::Integer("UInt64");
    pub(crate) const FLAG: Self = Self::Integer("UInt8");

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Boolean | Self::Integer(_) | Self::Float)
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::Uuid)
    }

    pub(crate) fn is_time(&self) -> bool {
        matches!(self, Self::Timestamp { .. } | Self::Date)
    }

    /// What ClickHouse gives for an aggregation over no rows.
    pub(crate) fn default_sql(&self) -> &'static str {
        match self {
            Self::Text => "''",
            Self::Uuid => "'00000000-0000-0000-0000-000000000000'",
            Self::Float => "0.0",
            Self::Array(_) => "'[]'",
            Self::Nothing | Self::Tuple(_) => "NULL",
            _ => "0",
        }
    }
}

impl Type {
    pub(crate) fn plain(kind: Kind) -> Self {
        Self {
            kind,
            nullable: false,
        }
    }

    pub(crate) fn nullable(kind: Kind) -> Self {
        Self {
            kind,
            nullable: true,
        }
    }

    pub(crate) fn or_null(self, nullable: bool) -> Self {
        Self {
            nullable: self.nullable || nullable,
            kind: self.kind,
        }
    }

    /// The type that holds values of both, `None` if ClickHouse knows none.
    pub(crate) fn common(&self, other: &Self) -> Option<Self> {
        let kind = match (&self.kind, &other.kind) {
            (Kind::Nothing, kind) | (kind, Kind::Nothing) => kind.clone(),
            (a, b) if a == b => a.clone(),
            (Kind::Integer(a), Kind::Integer(b)) => Kind::Integer(wider(a, b)),
            (a, b) if a.is_number() && b.is_number() => match (a, b) {
                (Kind::Float, _) | (_, Kind::Float) => Kind::Float,
                (Kind::Integer(name), _) | (_, Kind::Integer(name)) => Kind::Integer(name),
                _ => Kind::FLAG,
            },
            (a, b) if a.is_text() && b.is_text() => Kind::Text,
            (time @ Kind::Timestamp { .. }, Kind::Timestamp { .. }) => time.clone(),
            (Kind::Array(a), Kind::Array(b)) => Kind::Array(Box::new(a.common(b)?)),
            _ => return None,
        };
        let nullable = self.nullable
            || other.nullable
            || self.kind == Kind::Nothing
            || other.kind == Kind::Nothing;
        Some(Self { kind, nullable })
    }
}

/// The integer type that takes values of both.
fn wider(a: &'static str, b: &'static str) -> &'static str {
    let rank = |name: &str| {
        (
            name.trim_start_matches(|letter: char| !letter.is_ascii_digit())
                .parse::<u32>()
                .unwrap_or(64),
            name.starts_with('I'),
        )
    };
    let (bits, signed) = rank(a).max(rank(b));
    let signed = signed || a.starts_with('I') || b.starts_with('I');
    match (bits, signed) {
        (8, false) => "UInt8",
        (16, false) => "UInt16",
        (32, false) => "UInt32",
        (_, false) => "UInt64",
        (8, true) => "Int16",
        (16, true) => "Int32",
        (_, true) => "Int64",
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arrays and tuples are never Nullable in ClickHouse.
        let wrapped = self.nullable
            && !matches!(
                self.kind,
                Kind::Array(_) | Kind::Tuple(_) | Kind::Interval(_)
            );
        if wrapped {
            formatter.write_str("Nullable(")?;
        }
        match &self.kind {
            Kind::Nothing => formatter.write_str("Nothing")?,
            Kind::Boolean => formatter.write_str("Bool")?,
            Kind::Integer(name) => formatter.write_str(name)?,
            Kind::Float => formatter.write_str("Float64")?,
            Kind::Text => formatter.write_str("String")?,
            Kind::Uuid => formatter.write_str("UUID")?,
            Kind::Timestamp {
                zone,
                fractions: true,
            } => write!(formatter, "DateTime64(6, '{zone}')")?,
            Kind::Timestamp { zone, .. } => write!(formatter, "DateTime('{zone}')")?,
            Kind::Date => formatter.write_str("Date")?,
            Kind::Interval(unit) => {
                let name = unit.name();
                write!(
                    formatter,
                    "Interval{}{}",
                    name[..1].to_uppercase(),
                    &name[1..]
                )?;
            }
            Kind::Array(element) => write!(formatter, "Array({element})")?,
            Kind::Tuple(members) => {
                formatter.write_str("Tuple(")?;
                for (nth, member) in members.iter().enumerate() {
                    write!(formatter, "{}{member}", if nth == 0 { "" } else { ", " })?;
                }
                formatter.write_str(")")?;
            }
        }
        if wrapped {
            formatter.write_str(")")?;
        }
        Ok(())
    }
}
