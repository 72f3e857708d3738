//! The tree that a HogQL text is read into.

/// An expression and the bytes of the text that it came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expression {
    pub(crate) kind: ExpressionKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExpressionKind {
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
    Query(Box<QueryTree>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// `0.5` of `quantile(0.5)(x)`.
    pub(crate) parameters: Option<Vec<Expression>>,
    pub(crate) arguments: Vec<Expression>,
    pub(crate) distinct: bool,
    pub(crate) over: Option<Window>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Window {
    /// A window of the WINDOW clause.
    pub(crate) name: Option<String>,
    pub(crate) partition_by: Vec<Expression>,
    pub(crate) order_by: Vec<Order>,
    /// `ROWS` or `RANGE`, from, to.
    pub(crate) frame: Option<(&'static str, Bound, Bound)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bound {
    UnboundedPreceding,
    Preceding(u32),
    CurrentRow,
    Following(u32),
    UnboundedFollowing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
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
pub(crate) enum Unit {
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
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix('s').unwrap_or(&name);
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, unit)| *unit)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, unit)| *unit == self)
            .map_or("second", |(name, _)| name)
    }
}

/// A SELECT, or several that are put together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum QueryTree {
    Select(Box<Select>),
    Set {
        first: Box<QueryTree>,
        rest: Vec<(SetOperator, QueryTree)>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetOperator {
    UnionAll,
    UnionDistinct,
    Intersect,
    Except,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Select {
    pub(crate) with: Vec<With>,
    pub(crate) distinct: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) from: Vec<Join>,
    /// `ARRAY JOIN`: left, and the arrays with their names.
    pub(crate) array_join: Option<(bool, Vec<Column>)>,
    pub(crate) filters: Vec<Expression>,
    pub(crate) group_by: Vec<Expression>,
    pub(crate) having: Option<Expression>,
    pub(crate) windows: Vec<(String, Window)>,
    pub(crate) order_by: Vec<Order>,
    pub(crate) limit_by: Option<(Expression, Vec<Expression>)>,
    pub(crate) limit: Option<Expression>,
    pub(crate) offset: Option<Expression>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum With {
    Query(String, QueryTree),
    Expression(String, Expression),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) value: Expression,
    pub(crate) alias: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    pub(crate) value: Expression,
    pub(crate) descending: bool,
    pub(crate) nulls_first: Option<bool>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Join {
    pub(crate) kind: JoinKind,
    pub(crate) table: Table,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) alias: Option<String>,
    pub(crate) condition: Option<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinKind {
    Cross,
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Table {
    Named(Vec<String>),
    Query(QueryTree),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    On(Expression),
    Using(Vec<String>),
}
