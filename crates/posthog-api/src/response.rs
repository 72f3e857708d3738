//! A successful answer, and its JSON as PostHog really writes it.

use std::borrow::Cow;

use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::Error;

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, body }
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let error = match serde_json::from_slice(&self.body) {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        if error.classify() == Category::Syntax
            && let Cow::Owned(body) = without_bare_numbers(&self.body)
            && let Ok(read) = serde_json::from_slice(&body)
        {
            return Ok(read);
        }
        // The position is named, the content is not: it may hold what no log should.
        let what = match error.classify() {
            Category::Data => "it has other fields than expected",
            _ => "it is no JSON",
        };
        Err(Error::BadAnswer(format!(
            "{what} (line {}, column {})",
            error.line(),
            error.column()
        )))
    }
}

/// The text with `null` in place of `NaN`, `Infinity` and `-Infinity`, which Python writes for numbers that
/// JSON has no words for. PostHog's polled results hold them. What is inside a text stays as it is.
fn without_bare_numbers(body: &[u8]) -> Cow<'_, [u8]> {
    const BARE: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    let mut clean: Option<Vec<u8>> = None;
    let (mut copied, mut at) = (0, 0);
    let (mut in_text, mut escaped) = (false, false);
    while let Some(rest) = body.get(at..)
        && let Some(&byte) = rest.first()
    {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            at += 1;
        } else if let Some(bare) = BARE.iter().find(|bare| rest.starts_with(bare)) {
            let clean = clean.get_or_insert_with(|| Vec::with_capacity(body.len()));
            clean.extend_from_slice(body.get(copied..at).unwrap_or_default());
            clean.extend_from_slice(b"null");
            at += bare.len();
            copied = at;
        } else {
            in_text = byte == b'"';
            at += 1;
        }
    }
    match clean {
        None => Cow::Borrowed(body),
        Some(mut clean) => {
            clean.extend_from_slice(body.get(copied..).unwrap_or_default());
            Cow::Owned(clean)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &str) -> Result<Value, Error> {
        Answer::new(StatusCode::OK, body.as_bytes().to_vec()).read()
    }

    #[test]
    fn bare_numbers_that_json_does_not_have_are_null() {
        let body = r#"{"results": [[NaN, 1.5, Infinity,-Infinity], ["NaN \" NaN", "\\", NaN]]}"#;
        let expected = json!({"results": [[null, 1.5, null, null], ["NaN \" NaN", "\\", null]]});
        assert_eq!(read(body).unwrap(), expected);
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for body in ["", "{", "[NaN", "[nan]", "[1 NaN]", "{\"a\": \"NaN"] {
            assert!(matches!(read(body), Err(Error::BadAnswer(_))), "{body}");
        }
    }
}
