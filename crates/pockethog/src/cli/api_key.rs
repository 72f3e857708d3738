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
        console.say(&format!(
            "Make a personal API key in {} under Settings, Personal API keys, with at least the \
             scopes project:read and query:read.",
            host.name()
        ));
        let key = Zeroizing::new(rpassword::prompt_password("API key (not shown): ")?);
        return Ok(key.as_str().into());
    }
    let mut key = Zeroizing::new(String::new());
    io::stdin().take(LONGEST_KEY).read_to_string(&mut key)?;
    Ok(key.as_str().into())
}
