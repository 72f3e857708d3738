//! JSON documents that are safe to print on a terminal: control and invisible characters are escaped.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use crate::plain::is_hidden;

/// Writes `document` with two blanks of indentation and a line feed at its end. The values are those of
/// [`serde_json::to_writer_pretty`]; only how characters are written differs.
///
/// # Errors
///
/// What the writer says, and values that JSON cannot hold.
pub fn write_document<T: Serialize>(mut writer: impl io::Write, document: &T) -> io::Result<()> {
    let formatter = Escaping(PrettyFormatter::new());
    document.serialize(&mut Serializer::with_formatter(&mut writer, formatter))?;
    writer.write_all(b"\n")
}

/// As [`write_document`], on one line: a record of a stream.
///
/// # Errors
///
/// As there.
pub fn write_record<T: Serialize>(mut writer: impl io::Write, document: &T) -> io::Result<()> {
    let formatter = Escaping(CompactFormatter);
    document.serialize(&mut Serializer::with_formatter(&mut writer, formatter))?;
    writer.write_all(b"\n")
}

/// The layout of another one, with `\u` escapes for all that [`is_hidden`] names; serde escapes the controls below 0x20.
struct Escaping<F>(F);

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((place, hidden)) = rest.char_indices().find(|&(_, c)| is_hidden(c)) {
            let (before, after) = rest.split_at(place);
            writer.write_all(before.as_bytes())?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.get(hidden.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_steers_or_hides_is_escaped_and_reads_the_same() {
        let document = json!({
            "a\u{9b}31m": ["\u{7f}\u{202e}x\u{e0041}\x1b\n", "猫 👩‍💻", {}, []],
        });
        let mut written = Vec::new();
        write_document(&mut written, &document).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert_eq!(
            written,
            "{\n  \"a\\u009b31m\": [\n    \"\\u007f\\u202ex\\udb40\\udc41\\u001b\\n\",\n    \
             \"猫 👩\\u200d💻\",\n    {},\n    []\n  ]\n}\n"
        );
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), document);
    }
}
