//! An autostart entry of the desktop, for systems without systemd: the Desktop Application Autostart Specification.

use std::fs;
use std::path::PathBuf;

use super::step::{MARK, Step};
use super::{Autostart, Service, Status};

pub(super) fn on(autostart: &Autostart, services: &[&Service]) -> Vec<Step> {
    let write = |service: &&Service| Step::Write {
        path: entry_of(autostart, service),
        text: entry(autostart, service),
    };
    services.iter().map(write).collect()
}

pub(super) fn off(autostart: &Autostart, services: &[&Service]) -> Vec<Step> {
    let remove = |service: &&Service| Step::Remove(entry_of(autostart, service));
    services.iter().map(remove).collect()
}

pub(super) fn status(autostart: &Autostart, service: &Service) -> Status {
    let path = entry_of(autostart, service);
    let text = fs::read_to_string(&path).ok();
    Status {
        name: service.name,
        on: text.is_some(),
        current: text == Some(entry(autostart, service)),
        running: None,
        by: path.display().to_string(),
    }
}

fn entry_of(autostart: &Autostart, service: &Service) -> PathBuf {
    let folder = autostart.config.join("autostart");
    folder.join(format!("{}.desktop", service.name))
}

fn entry(autostart: &Autostart, service: &Service) -> String {
    let mut words = Vec::new();
    if !autostart.environment.is_empty() {
        words.push("env".to_owned());
        let pairs = autostart.environment.iter();
        words.extend(pairs.map(|(name, value)| format!("{name}={value}")));
    }
    words.extend(autostart.words(service));
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!(
        "# {MARK}\n[Desktop Entry]\nType=Application\nVersion=1.4\nName=PocketHog\nComment={}\nExec={}\nIcon=pockethog\n\
         Terminal=false\nNoDisplay=true\n",
        service.about,
        words.join(" "),
    )
}

/// One word for `Exec`: quoted as in a shell, then escaped as every text of such a file. A per cent sign would begin
/// a field code.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-=:".contains(letter);
    let word = word.replace('%', "%%");
    if !word.is_empty() && word.chars().all(plain) {
        return word;
    }
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        match letter {
            // The backslash of the shell, escaped.
            '"' | '`' | '$' => quoted += "\\\\",
            '\\' => quoted += "\\\\\\",
            _ => {}
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::{autostart, shown};
    use super::super::{SERVICES, System, apply};
    use super::*;

    #[test]
    fn the_desktop_gets_an_entry_that_it_does_not_show() {
        let root = tempfile::tempdir().unwrap();
        let autostart = autostart(System::Desktop, root.path());
        let services: Vec<&Service> = SERVICES.iter().collect();
        let steps = on(&autostart, &services);
        insta::assert_snapshot!(shown(&steps, root.path()));
        apply(&steps).unwrap();
        let status = status(&autostart, &SERVICES[0]);
        assert!(status.on && status.current, "{status:?}");
        apply(&off(&autostart, &services)).unwrap();
        assert!(!super::status(&autostart, &SERVICES[0]).on);
    }

    #[test]
    fn words_are_quoted_as_the_specification_says() {
        for (word, expected) in [
            ("--no-browser", "--no-browser"),
            ("50% of", r#""50%% of""#),
            ("a $b", r#""a \\$b""#),
            (r"a\b", r#""a\\\\b""#),
            (r#"a"b"#, r#""a\\"b""#),
        ] {
            assert_eq!(quoted(word), expected, "{word}");
        }
    }
}
