//! Takes out of a text what must not be published: what is known to be somebody's, and what looks like it.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Folders of the system, in which paths say nothing about the user.
const SYSTEM_FOLDERS: &[&str] = &[
    "/usr/",
    "/etc/",
    "/proc/",
    "/run/",
    "/dev/",
    "/System/",
    "/Library/",
    "/nix/store/",
];

/// Folders in every home.
const HOME_FOLDERS: &[&str] = &["~/.", "~/Library/", "~/AppData/"];

/// What files of PocketHog and of the system end with, which would look like names of hosts.
const FILE_ENDINGS: &[&str] = &[
    "toml", "json", "sqlite", "lock", "key", "sealed", "md", "so", "service", "desktop", "conf",
    "pem", "crt", "sock",
];

/// Names on D-Bus, which look like names of hosts.
const BUS_NAMES: &[&str] = &["org.freedesktop.", "org.gnome.", "org.kde."];

/// Identifiers that are this long, or longer, are somebody's.
const LONG: usize = 16;

/// What is hidden.
#[derive(Debug, Default)]
pub struct Redaction {
    /// Each with what takes its place.
    known: Vec<(String, String)>,
}

impl Redaction {
    /// Hides `secret` as a whole word, in small or capital letters, and shows `shown` in its place.
    pub fn hide(&mut self, secret: &str, shown: &str) {
        let secret = secret.trim();
        if secret.chars().count() > 1 {
            let place = self
                .known
                .partition_point(|(known, _)| known.len() >= secret.len());
            self.known
                .insert(place, (secret.to_owned(), shown.to_owned()));
        }
    }

    /// The text without it.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // The longest first: an address holds the name of its host.
        for (secret, shown) in &self.known {
            text = replaced(&text, secret, shown);
        }
        without_strangers(&text)
    }
}

/// A text without what stands between quotes: somebody's own words, if the text is about a file that they edit.
pub fn without_quotes(text: &str) -> String {
    const QUOTES: &[(char, char)] = &[('“', '”'), ('"', '"'), ('`', '`'), ('\'', '\'')];
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        shown.push(letter);
        let quote = QUOTES.iter().find(|(opening, _)| *opening == letter);
        if let Some((_, closing)) = quote {
            let mut ahead = rest.clone();
            if ahead.any(|letter| letter == *closing) {
                rest = ahead;
                shown.push('…');
                shown.push(*closing);
            }
        }
    }
    shown
}

fn replaced(text: &str, secret: &str, shown: &str) -> String {
    let (mut result, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = find(rest, secret) {
        let (before, found) = rest.split_at(at);
        let after = found.get(secret.len()..).unwrap_or_default();
        let is_whole =
            !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric);
        result += before;
        if is_whole {
            result += shown;
            rest = after;
        } else {
            let mut letters = found.chars();
            result.extend(letters.next());
            rest = letters.as_str();
        }
    }
    result + rest
}

/// Without regard to small and capital letters, as far as ASCII has them.
fn find(text: &str, secret: &str) -> Option<usize> {
    text.char_indices().map(|(at, _)| at).find(|&at| {
        text.get(at..at + secret.len())
            .is_some_and(|part| part.eq_ignore_ascii_case(secret))
    })
}

/// Judges word by word.
fn without_strangers(text: &str) -> String {
    let separates =
        |letter: char| letter.is_whitespace() || "“”‘’\"'`()[]<>{},;=|→".contains(letter);
    let (mut result, mut word) = (String::with_capacity(text.len()), String::new());
    for letter in text.chars() {
        if separates(letter) {
            push_word(&mut result, &word);
            word.clear();
            result.push(letter);
        } else {
            word.push(letter);
        }
    }
    push_word(&mut result, &word);
    result
}

fn push_word(result: &mut String, word: &str) {
    let bare = word.trim_end_matches(['.', ':', '!', '?', '…']);
    let end = word.get(bare.len()..).unwrap_or_default();
    match judged(bare) {
        Some(shown) => *result += &shown,
        None => *result += bare,
    }
    *result += end;
}

/// What is shown in place of a word, if it cannot be shown.
fn judged(word: &str) -> Option<String> {
    if word.contains("://") {
        return Some(address(word));
    }
    if is_path(word) {
        return hidden_path(word).map(ToOwned::to_owned);
    }
    if is_token(word) {
        return Some("(token)".to_owned());
    }
    if let Some((_, domain)) = word.split_once('@') {
        return domain.contains('.').then(|| "(e-mail)".to_owned());
    }
    if is_foreign_host(word) {
        return Some("(host)".to_owned());
    }
    is_identifier(word).then(|| "(id)".to_owned())
}

/// The origin, if it is PostHog's own.
fn address(word: &str) -> String {
    match Url::parse(word) {
        Ok(url) => match url.host() {
            Some(Host::Domain(host)) if is_posthogs(host) => url.origin().ascii_serialization(),
            Some(Host::Ipv4(host)) if host.is_loopback() => "(address on this device)".to_owned(),
            _ => "(address)".to_owned(),
        },
        Err(_) => "(address)".to_owned(),
    }
}

fn is_path(word: &str) -> bool {
    let bytes = word.as_bytes();
    let is_windows = bytes.get(1) == Some(&b':') && bytes.get(2) == Some(&b'\\');
    word.starts_with('/') || word.starts_with("~/") || is_windows
}

/// What is shown in place of a path, unless it says nothing about the user.
fn hidden_path(path: &str) -> Option<&'static str> {
    let is_in = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
    if path.starts_with("~/") {
        return (!is_in(HOME_FOLDERS)).then_some("~/…");
    }
    (!is_in(SYSTEM_FOLDERS)).then_some("(path)")
}

/// PostHog's tokens and keys: `phx_`, `pha_`, `phr_`, `phc_` and whatever comes.
fn is_token(word: &str) -> bool {
    let mut letters = word.chars();
    let begins = letters.next() == Some('p')
        && letters.next() == Some('h')
        && letters
            .next()
            .is_some_and(|letter| letter.is_ascii_lowercase())
        && letters.next() == Some('_');
    begins && letters.next().is_some()
}

fn is_foreign_host(word: &str) -> bool {
    if word
        .parse::<Ipv6Addr>()
        .is_ok_and(|host| !host.is_loopback())
    {
        return true;
    }
    let host = match word.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => word,
    };
    if let Ok(host) = host.parse::<Ipv4Addr>() {
        return !host.is_loopback();
    }
    let is_name = host
        .chars()
        .all(|letter| letter.is_alphanumeric() || letter == '.' || letter == '-');
    let Some((_, last)) = host.rsplit_once('.').filter(|_| is_name) else {
        return false;
    };
    let is_domain = last.chars().count() > 1 && last.chars().all(char::is_alphabetic);
    is_domain
        && !FILE_ENDINGS.contains(&last)
        && !BUS_NAMES.iter().any(|name| host.starts_with(name))
        && !is_posthogs(host)
}

fn is_posthogs(host: &str) -> bool {
    host == "posthog.com" || host.ends_with(".posthog.com")
}

fn is_identifier(word: &str) -> bool {
    let is_one = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    word.len() >= LONG
        && word.chars().all(is_one)
        && word.chars().any(|letter| letter.is_ascii_digit())
        && word.chars().any(|letter| letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_hidden_as_a_whole_word_and_the_longest_first() {
        let mut redaction = Redaction::default();
        redaction.hide("ada", "(user)");
        redaction.hide("hog.acme.test", "self-hosted 1");
        redaction.hide("https://hog.acme.test", "https://self-hosted-1");
        redaction.hide("", "nothing");
        let text = "Ada at https://hog.acme.test of Canada, HOG.acme.test:443; ada's";
        let shown = redaction.apply(text);
        assert_eq!(
            shown,
            "(user) at (address) of Canada, self-hosted 1:443; (user)'s"
        );
    }

    #[test]
    fn what_looks_like_somebodys_is_hidden() {
        let redaction = Redaction::default();
        for (text, shown) in [
            ("key phx_A1b2, token pha_x.", "key (token), token (token)."),
            ("as ines@example.com", "as (e-mail)"),
            ("via http://ada:pw@proxy.acme.test:3128/x", "via (address)"),
            (
                "https://eu.posthog.com/project/12",
                "https://eu.posthog.com",
            ),
            ("at http://127.0.0.1:49152/", "at (address on this device)"),
            ("dns error: hog.acme.internal:", "dns error: (host):"),
            ("10.0.0.7:443 and 127.0.0.1:80", "(host) and 127.0.0.1:80"),
            ("fe80::1 is up", "(host) is up"),
            ("0195c2a0-ada0-7000-8000-000000000001", "(id)"),
            ("chmod 700 '/srv/acme/hog'", "chmod 700 '(path)'"),
            ("~/clients/acme and ~/.config/x", "~/… and ~/.config/x"),
            (r"C:\Users\Ada\x", "(path)"),
        ] {
            assert_eq!(redaction.apply(text), shown, "{text}");
        }
    }

    #[test]
    fn what_helps_stays() {
        let redaction = Redaction::default();
        for text in [
            "connections.json: expected value at line 3 column 7",
            "/usr/lib/x86_64-linux-gnu/libc.so.6, mode 700",
            "answers in 12 ms by HTTP/2, TLS is fine",
            "org.freedesktop.secrets was not provided by any .service files",
            "export DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
            "8 projects, the newest numbers 3 min ago, 212 KiB",
            "us.posthog.com: certificate has expired (os error 111)",
        ] {
            assert_eq!(redaction.apply(text), text);
        }
    }

    #[test]
    fn words_of_the_user_are_cut_out_of_what_is_said_about_their_file() {
        let text = "line 2: unknown colour “acme”, expected `ember`; it's \"odd\"";
        let shown = "line 2: unknown colour “…”, expected `…`; it's \"…\"";
        assert_eq!(without_quotes(text), shown);
    }
}
