//! Functions: what each call becomes.

mod arrays;
mod names;
mod special;

use names::{PARTS, SPECIAL, STARTS, known_name, names, unknown};

use super::Translator;
use super::aggregate::{OVER_WINDOWS, aggregation};
use super::refusals::illegal;
use super::scope::Scope;
use crate::error::QueryError;
use crate::functions::{Plain, Returns, plain};
use crate::sql::Sql;
use crate::syntax::{Call, Unit};
use crate::types::{Kind, Type};

impl Translator<'_> {
    pub(super) fn call<'q>(
        &mut self,
        scope: &mut Scope<'q>,
        call: &'q Call,
    ) -> Result<Sql, QueryError> {
        let name = known_name(&call.name);
        let given = call.arguments.len();
        if let Some((aggregation, arity, conditional)) = aggregation(&name) {
            let extra = usize::from(conditional);
            self.arity(&call.name, (arity.0 + extra, arity.1 + extra), given)?;
            return self.aggregate(scope, call, aggregation, conditional);
        }
        if let Some((function, arity)) = OVER_WINDOWS.iter().find(|(known, _)| *known == name) {
            self.arity(&call.name, *arity, given)?;
            let Some(window) = &call.over else {
                return Err(QueryError::new(
                    "invalid_input",
                    format!("Function '{}' needs OVER (…)", call.name),
                ));
            };
            return self.over_window(scope, call, function, window);
        }
        if call.over.is_some()
            || call.distinct
            || call.parameters.is_some() && !name.starts_with("JSON")
        {
            if names().any(|known| known == name) {
                let message = format!("Function '{}' is no aggregation", call.name);
                return Err(QueryError::new("invalid_input", message));
            }
            return Err(unknown(&call.name));
        }
        if let Some((_, arity)) = SPECIAL.iter().find(|(known, _)| *known == name) {
            self.arity(&call.name, *arity, given)?;
            if name.starts_with("array") && name != "array" && name != "arrayElement" {
                return self.array_function(scope, &name, &call.arguments);
            }
        }
        let arguments = self.all(scope, &call.arguments)?;
        self.function(
            if name == call.name { &call.name } else { &name },
            arguments,
        )
    }

    /// A function of values.
    pub(super) fn function(&mut self, name: &str, mut a: Vec<Sql>) -> Result<Sql, QueryError> {
        if let Some((_, unit, count)) = STARTS.iter().find(|(known, ..)| *known == name) {
            self.arity(name, (1, 2), a.len())?;
            let zone = second(&mut a);
            return self.start(unit, count, first(a)?, zone.as_ref());
        }
        if PARTS.contains(&name) {
            self.arity(name, (1, 2), a.len())?;
            let zone = second(&mut a);
            return self.part(name, first(a)?, zone.as_ref());
        }
        if let Some(unit) = name.strip_prefix("toInterval").and_then(Unit::parse) {
            self.arity(name, (1, 1), a.len())?;
            let count = first(a)?;
            self.number_only(name, &count)?;
            return Ok(Sql::of(
                count.text.clone(),
                Type::plain(Kind::Interval(unit)),
                &[&count],
            ));
        }
        for (prefix, back) in [("add", false), ("subtract", true)] {
            if let Some(unit) = name.strip_prefix(prefix).and_then(Unit::parse) {
                self.arity(name, (2, 2), a.len())?;
                let (value, count) = pair(a)?;
                self.number_only(name, &count)?;
                return self.shifted(value, &count, unit, back);
            }
        }
        if SPECIAL.iter().any(|(known, _)| *known == name) {
            return self.special(name, a);
        }
        let Some(function) = plain().find(|function| function.name == name) else {
            return Err(unknown(name));
        };
        self.arity(name, function.arity, a.len())?;
        self.plain_call(function, a)
    }

    fn plain_call(&mut self, function: &Plain, arguments: Vec<Sql>) -> Result<Sql, QueryError> {
        let mut nullable = arguments.iter().any(|argument| argument.ty.nullable);
        let texts: Vec<&str> = arguments
            .iter()
            .map(|argument| argument.text.as_str())
            .collect();
        let parts: Vec<&Sql> = arguments.iter().collect();
        let kind = match function.returns {
            Returns::Flag => Kind::FLAG,
            Returns::Boolean => Kind::Boolean,
            Returns::Integer(name) => Kind::Integer(name),
            Returns::Float => Kind::Float,
            Returns::Text => Kind::Text,
            Returns::Same => arguments
                .first()
                .map_or(Kind::Nothing, |first| first.ty.kind.clone()),
            Returns::FloatOrNull => {
                nullable |= !arguments
                    .iter()
                    .all(|argument| argument.ty.kind.is_number());
                Kind::Float
            }
            Returns::IntegerOrNull => {
                nullable |= !arguments
                    .iter()
                    .all(|argument| argument.ty.kind.is_number());
                Kind::Integer("Int64")
            }
            Returns::UuidOrNull => {
                nullable = true;
                Kind::Uuid
            }
            Returns::Texts => Kind::Array(Box::new(Type::plain(Kind::Text))),
            Returns::Integers => Kind::Array(Box::new(Type::plain(Kind::COUNT))),
        };
        // What is about numbers takes no text, and the other way round.
        let arithmetic = matches!(function.returns, Returns::Float | Returns::Same)
            && !function.name.starts_with("to")
            && !function.name.starts_with("JSON")
            && !function.name.starts_with("array");
        let textual = function.returns == Returns::Text
            && function.name != "toString"
            && !function.name.starts_with("array")
            && !function.name.starts_with("format");
        for argument in &arguments {
            if arithmetic {
                self.number_only(function.name, argument)?;
            }
        }
        if let Some(argument) = arguments.first()
            && textual
            && !argument.ty.kind.is_text()
            && argument.ty.kind != Kind::Nothing
        {
            return Err(illegal(function.name, &argument.ty));
        }
        Ok(Sql::of(
            format!("h_{}({})", function.name, texts.join(", ")),
            Type::plain(kind).or_null(nullable),
            &parts,
        ))
    }
}

fn first(arguments: Vec<Sql>) -> Result<Sql, QueryError> {
    arguments
        .into_iter()
        .next()
        .ok_or_else(|| QueryError::new("invalid_input", "An argument is missing"))
}

/// Takes the second argument, if there is one.
fn second(arguments: &mut Vec<Sql>) -> Option<Sql> {
    if arguments.len() == 2 {
        arguments.pop()
    } else {
        None
    }
}

fn pair(arguments: Vec<Sql>) -> Result<(Sql, Sql), QueryError> {
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next()) {
        (Some(a), Some(b)) => Ok((a, b)),
        _ => Err(QueryError::new("invalid_input", "An argument is missing")),
    }
}
