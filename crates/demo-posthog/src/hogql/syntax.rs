//! The tree that a HogQL text is read into.

/// An expression and the bytes of the text that it came from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expression {
    pub(super) kind: ExpressionKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ExpressionKind {
    Constant(Constant),
    /// `event`, `properties.$pathname`, `e.person.properties.name`.
    Field(Vec<String>),
    /// `*` or `e.*`.
    Star(Option<String>),
    /// `{name}`.
    Placeholder(Vec<String>),
    Call(Box<Call>),
    /// `x -> x + 1`.
    Lambda(Vec<String>, Box<Expression>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Between {
        value: Box<Expression>,
        low: Box<Expression>,
        high: Box<Expression>,
        negated: bool,
    },
    In {
        value: Box<Expression>,
        set: Box<Expression>,
        negated: bool,
    },
    IsNull {
        value: Box<Expression>,
        negated: bool,
    },
    Case {
        operand: Option<Box<Expression>>,
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    /// `CAST(x AS String)`, `x::String`.
    Cast(Box<Expression>, String),
    Interval(Box<Expression>, Unit),
    Array(Vec<Expression>),
    Tuple(Vec<Expression>),
    /// `x[1]`, `pair.1`.
    Element(Box<Expression>, Box<Expression>),
    Query(Box<Query>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) name: String,
    /// `0.5` of `quantile(0.5)(x)`.
    pub(super) parameters: Option<Vec<Expression>>,
    pub(super) arguments: Vec<Expression>,
    pub(super) distinct: bool,
    pub(super) over: Option<Window>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Window {
    /// A window of the WINDOW clause.
    pub(super) name: Option<String>,
    pub(super) partition_by: Vec<Expression>,
    pub(super) order_by: Vec<Order>,
    /// `ROWS` or `RANGE`, from, to.
    pub(super) frame: Option<(&'static str, Bound, Bound)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bound {
    UnboundedPreceding,
    Preceding(u32),
    CurrentRow,
    Following(u32),
    UnboundedFollowing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    NotLike,
    ILike,
    NotILike,
    Matches,
    MatchesNot,
    MatchesAnyCase,
    MatchesNotAnyCase,
    Otherwise,
    Plus,
    Minus,
    Concat,
    Times,
    Divide,
    Modulo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    const ALL: [(&'static str, Self); 8] = [
        ("second", Self::Second),
        ("minute", Self::Minute),
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
        ("quarter", Self::Quarter),
        ("year", Self::Year),
    ];

    /// `day`, in any case, with a plural `s` or without.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix('s').unwrap_or(&name);
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, unit)| *unit)
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, unit)| *unit == self)
            .map_or("second", |(name, _)| name)
    }
}

/// A SELECT, or several that are put together.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Query {
    Select(Box<Select>),
    Set {
        first: Box<Query>,
        rest: Vec<(SetOperator, Query)>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetOperator {
    UnionAll,
    UnionDistinct,
    Intersect,
    Except,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Select {
    pub(super) with: Vec<With>,
    pub(super) distinct: bool,
    pub(super) columns: Vec<Column>,
    pub(super) from: Vec<Join>,
    /// `ARRAY JOIN`: left, and the arrays with their names.
    pub(super) array_join: Option<(bool, Vec<Column>)>,
    pub(super) filters: Vec<Expression>,
    pub(super) group_by: Vec<Expression>,
    pub(super) having: Option<Expression>,
    pub(super) windows: Vec<(String, Window)>,
    pub(super) order_by: Vec<Order>,
    pub(super) limit_by: Option<(Expression, Vec<Expression>)>,
    pub(super) limit: Option<Expression>,
    pub(super) offset: Option<Expression>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum With {
    Query(String, Query),
    Expression(String, Expression),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) value: Expression,
    pub(super) alias: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) value: Expression,
    pub(super) descending: bool,
    pub(super) nulls_first: Option<bool>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Join {
    pub(super) kind: JoinKind,
    pub(super) table: Table,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) alias: Option<String>,
    pub(super) condition: Option<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JoinKind {
    Cross,
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Table {
    Named(Vec<String>),
    Query(Query),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    On(Expression),
    Using(Vec<String>),
}
