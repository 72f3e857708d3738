//! Values made of values: choices, texts put together, arrays and their elements, casts.

use super::refusals::{no_common_type, not_an_array};
use super::{Translator, expression::as_member};
use crate::error::QueryError;
use crate::sql::{Key, Sql, WORDS, literal};
use crate::syntax::Constant;
use crate::types::{Kind, Type};

impl Translator<'_> {
    /// CASE, `if`, `multiIf`.
    pub(super) fn choose(
        &mut self,
        pairs: Vec<(Sql, Sql)>,
        otherwise: Sql,
    ) -> Result<Sql, QueryError> {
        let mut ty = otherwise.ty.clone();
        for (_, result) in &pairs {
            ty = ty
                .common(&result.ty)
                .ok_or_else(|| no_common_type(&ty, &result.ty))?;
        }
        let mut text = String::from("(CASE");
        let mut parts: Vec<&Sql> = vec![&otherwise];
        for (condition, result) in &pairs {
            text.push_str(&format!(" WHEN {} THEN {}", condition.text, result.text));
            parts.extend([condition, result]);
        }
        text.push_str(&format!(" ELSE {} END)", otherwise.text));
        Ok(Sql::of(text, ty, &parts))
    }

    /// `ifNull`, `coalesce`, `??`.
    pub(super) fn otherwise(&mut self, values: Vec<Sql>) -> Result<Sql, QueryError> {
        let mut ty = Type::nullable(Kind::Nothing);
        for value in &values {
            let nullable = ty.nullable && value.ty.nullable;
            ty = ty
                .common(&value.ty)
                .ok_or_else(|| no_common_type(&ty, &value.ty))?;
            ty.nullable = nullable;
        }
        let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
        let parts: Vec<&Sql> = values.iter().collect();
        let text = if texts.len() == 1 {
            texts.concat()
        } else {
            format!("coalesce({})", texts.join(", "))
        };
        let mut sql = Sql::of(text, ty, &parts);
        if let [value, instead] = values.as_slice()
            && let (Some(key), Some(text)) = (&value.key, instead.text_constant())
            && key.space == WORDS
            && let Some(word) = self.schema.words.get(text)
        {
            sql.key = Some(Key {
                text: format!("ifnull({}, {word})", key.text),
                space: WORDS,
            });
        }
        Ok(sql)
    }

    pub(super) fn concat(&mut self, values: &[Sql]) -> Result<Sql, QueryError> {
        let mut texts = Vec::new();
        for value in values {
            texts.push(self.to_text(value.clone())?.text);
        }
        let nullable = values.iter().any(|value| value.ty.nullable);
        let parts: Vec<&Sql> = values.iter().collect();
        Ok(Sql::of(
            format!("({})", texts.join(" || ")),
            Type::plain(Kind::Text).or_null(nullable),
            &parts,
        ))
    }

    pub(super) fn array(&mut self, items: Vec<Sql>) -> Result<Sql, QueryError> {
        let mut element = Type::plain(Kind::Nothing);
        for (nth, item) in items.iter().enumerate() {
            element = if nth == 0 {
                item.ty.clone()
            } else {
                element
                    .common(&item.ty)
                    .ok_or_else(|| no_common_type(&element, &item.ty))?
            };
        }
        let texts: Vec<String> = items.iter().map(as_member).collect();
        let parts: Vec<&Sql> = items.iter().collect();
        Ok(Sql::of(
            format!("json_array({})", texts.join(", ")),
            Type::plain(Kind::Array(Box::new(element))),
            &parts,
        ))
    }

    /// `x[n]`, `pair.n`.
    pub(super) fn element(&mut self, value: Sql, index: Sql) -> Result<Sql, QueryError> {
        let constant = match &index.constant {
            Some(Constant::Integer(number)) => Some(*number),
            _ => None,
        };
        match &value.ty.kind {
            Kind::Tuple(members) => {
                let place = constant.and_then(|place| usize::try_from(place).ok()?.checked_sub(1));
                let Some((place, member)) =
                    place.and_then(|place| Some((place, members.get(place)?)))
                else {
                    return Err(QueryError::new(
                        "not_found_column_in_block",
                        "The tuple has no such member",
                    ));
                };
                Ok(Sql::of(
                    format!("json_extract({}, '$[{place}]')", value.text),
                    member.clone(),
                    &[&value],
                ))
            }
            Kind::Array(element) => {
                self.number_only("arrayElement", &index)?;
                let i = &index.text;
                let path = match constant {
                    Some(place) if place > 0 => format!("'$[{}]'", place - 1),
                    Some(place) => format!("'$[#{place}]'"),
                    None => format!(
                        "('$[' || (CASE WHEN {i} > 0 THEN {i} - 1 ELSE '#' || {i} END) || ']')"
                    ),
                };
                let read = format!("json_extract({}, {path})", value.text);
                let text = if element.nullable {
                    read
                } else {
                    format!("ifnull({read}, {})", element.kind.default_sql())
                };
                Ok(Sql::of(text, (**element).clone(), &[&value, &index]))
            }
            // A member of an object that is kept as text.
            Kind::Text if index.ty.kind == Kind::Text => {
                let path = index
                    .text_constant()
                    .map(|name| literal(&format!("$.\"{}\"", name.replace(['"', '\\'], ""))));
                let Some(path) = path else {
                    return Err(not_an_array("arrayElement", &value.ty));
                };
                Ok(Sql::of(
                    format!("json_extract({}, {path})", value.text),
                    Type::nullable(Kind::Text),
                    &[&value],
                ))
            }
            _ => Err(not_an_array("arrayElement", &value.ty)),
        }
    }

    pub(super) fn cast(&mut self, value: Sql, name: &str) -> Result<Sql, QueryError> {
        let function = match name.to_ascii_lowercase().as_str() {
            "string" | "text" | "varchar" => "toString",
            "int" | "integer" | "bigint" | "int8" | "int16" | "int32" | "int64" | "uint8"
            | "uint16" | "uint32" | "uint64" => "toInt",
            "float" | "double" | "float32" | "float64" => "toFloat",
            "boolean" | "bool" => "toBool",
            "date" => "toDate",
            "datetime" | "timestamp" => "toDateTime",
            "uuid" => "toUUID",
            _ => {
                return Err(QueryError::new(
                    "unknown_type",
                    format!("Unknown type {name}"),
                ));
            }
        };
        self.function(function, vec![value])
    }
}
