//! Reading an API key: from a prompt without echo, or from standard input. Never from an argument,
//! where every process of the machine could read it.

use std::io::{self, IsTerminal, Read};

use secrecy::SecretString;
use sign_in_with_posthog::Host;
use zeroize::Zeroizing;

use super::console::{CliError, Console};

/// Longest key that is read, in bytes; real ones have about 50.
const LONGEST_KEY: u64 = 4096;

/// Reads a key for `host`.
///
/// # Errors
///
/// A terminal that cannot be read, or nothing typed.
pub fn read(console: &Console, host: &Host) -> Result<SecretString, CliError> {
    if io::stdin().is_terminal() {
        console.say(format!(
            "Create a personal API key in {} under Settings, Personal API keys, with at least the scopes \
             project:read and query:read.",
            host.name()
        ));
        let key = Zeroizing::new(rpassword::prompt_password("API key (not shown): ")?);
        return Ok(key.as_str().into());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    io::stdin().take(LONGEST_KEY).read_to_end(&mut bytes)?;
    let key = decoded(&bytes).ok_or_else(|| {
        CliError::usage("standard input is neither UTF-8 nor UTF-16 text, so it contains no key")
    })?;
    Ok(key.as_str().into())
}

/// Text as files and pipes hold it: UTF-8, or the UTF-16 of Windows PowerShell, which writes a mark of the byte order
/// or leaves it out.
fn decoded(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let zeros = |from: usize| bytes.iter().skip(from).step_by(2).all(|byte| *byte == 0);
    let is_even = bytes.len() >= 2 && bytes.len().is_multiple_of(2);
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ if is_even && zeros(1) => u16::from_le_bytes,
        _ if is_even && zeros(0) => u16::from_be_bytes,
        _ => {
            let text = std::str::from_utf8(bytes).ok()?;
            return Some(Zeroizing::new(text.to_owned()));
        }
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    let text = text.ok().map(Zeroizing::new)?;
    rest.is_empty().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::decoded;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn keys_in_utf_16_are_read_with_and_without_a_mark() {
        for text in ["\u{feff}phx_abc\r\n", "phx_abc\r\n"] {
            for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
                let key = decoded(&utf16(text, bytes));
                assert_eq!(key.as_deref().map(String::as_str), Some(text));
            }
        }
    }

    #[test]
    fn keys_in_utf_8_are_read_and_what_is_no_text_is_not() {
        let key = |bytes: &[u8]| decoded(bytes).map(|key| key.to_string());
        assert_eq!(key(b"phx_abc\n").as_deref(), Some("phx_abc\n"));
        assert_eq!(key(b"").as_deref(), Some(""));
        assert_eq!(key(b"x").as_deref(), Some("x"));
        assert_eq!(key(&[0x89, b'P', 0xd8, 0xff]), None);
        assert_eq!(key(&[0xff, 0xfe, b'p']), None);
    }
}
