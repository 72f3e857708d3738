//! Refusals that several parts of the translation make.

use crate::error::QueryError;
use crate::types::Type;

pub(super) fn no_common_type(a: &Type, b: &Type) -> QueryError {
    QueryError::new(
        "no_common_type",
        format!(
            "There is no supertype for types {a}, {b} because some of them are String/FixedString/Enum and some of them are not"
        ),
    )
}

pub(super) fn not_an_array(what: &str, ty: &Type) -> QueryError {
    QueryError::new(
        "type_mismatch",
        format!("{what} requires an array argument, found {ty}"),
    )
}

pub(super) fn illegal(what: &str, ty: &Type) -> QueryError {
    QueryError::new(
        "illegal_type_of_argument",
        format!("Illegal type {ty} of argument of function {what}"),
    )
}
