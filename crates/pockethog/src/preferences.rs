//! What a person chose: names, order, favourites, conversions, colours, cadence.
//!
//! One TOML file that can be read and edited by hand, keyed by Host and project number and never by
//! credential. A file that cannot be understood is reported with its line, the program goes on with
//! defaults, and the file is never overwritten: someone's edit is in there.

mod document;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use toml_edit::DocumentMut;

use crate::project::{Project, ProjectKey};

/// All preferences.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preferences {
    /// Light, dark, or as the system.
    pub mode: Mode,
    /// Colour scheme.
    pub scheme: Scheme,
    /// How often numbers are refreshed while the page is visible.
    pub refresh: Cadence,
    /// First day of the week.
    pub week_starts_on: WeekStart,
    /// Project keys in the order they are shown; the others follow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
    /// By project key, for example `us/12`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub projects: BTreeMap<String, ProjectPreferences>,
    /// The banner that offers the way over from an API key, by Connection.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub banner: BTreeMap<String, Banner>,
}

/// What a person chose about one project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectPreferences {
    /// Shown instead of PostHog's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Shown first.
    #[serde(skip_serializing_if = "is_false")]
    pub favourite: bool,
    /// Not shown on the home screen, nor counted in the total.
    #[serde(skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// Conversion events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conversions: Vec<String>,
    /// A colour scheme of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
}

/// Light, dark, or as the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As the system.
    #[default]
    Auto,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

/// A colour scheme by name; `colours` knows its hues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Orange.
    #[default]
    Ember,
    /// Green.
    Fern,
    /// Grey.
    Graphite,
    /// Blue.
    Lagoon,
    /// Purple.
    Plum,
}

/// How often numbers are refreshed while the page is visible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cadence {
    /// Every 30 seconds.
    #[serde(rename = "30s")]
    HalfMinute,
    /// Every minute: as often as PostHog's numbers can change for us.
    #[default]
    #[serde(rename = "1m")]
    Minute,
    /// Every 5 minutes.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// Every 15 minutes.
    #[serde(rename = "15m")]
    QuarterHour,
}

impl Cadence {
    /// In seconds.
    pub fn seconds(self) -> u64 {
        match self {
            Self::HalfMinute => 30,
            Self::Minute => 60,
            Self::FiveMinutes => 300,
            Self::QuarterHour => 900,
        }
    }
}

/// First day of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeekStart {
    /// Monday.
    #[default]
    Monday,
    /// Sunday.
    Sunday,
}

/// What a person said to the banner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Banner {
    /// Never again.
    #[serde(skip_serializing_if = "is_false")]
    pub dismissed: bool,
    /// Not before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Timestamp>,
}

impl Banner {
    /// Whether the banner is to be shown at `now`.
    pub fn shows_at(&self, now: Timestamp) -> bool {
        !self.dismissed && self.snoozed_until.is_none_or(|until| until <= now)
    }
}

/// Why preferences were not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreferencesError {
    /// The file cannot be understood. Defaults are in use; the file stays as it is.
    #[error("{}, line {line}: {what}; defaults are in use until it is mended", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Preferences {
    /// Reads the file; defaults where there is none.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or understood. The caller goes on with defaults and shows the error.
    pub fn load(path: &Path) -> Result<Self, PreferencesError> {
        match read(path)? {
            Some(text) => Self::parse(&text, path),
            None => Ok(Self::default()),
        }
    }

    /// Reads a text; `path` is named in errors.
    ///
    /// # Errors
    ///
    /// A text that is no TOML, or holds what no version of this program wrote.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PreferencesError> {
        toml_edit::de::from_str(text).map_err(|error| invalid(text, path, &error))
    }

    /// The text of a new file.
    pub fn to_text(&self) -> String {
        let body = toml_edit::ser::to_string_pretty(self).unwrap_or_default();
        format!("# Preferences of PocketHog. Edit them here or on its settings page.\n\n{body}")
    }

    /// `text`, changed where it says something else than these preferences. Comments, order and
    /// spelling of everything else stay.
    ///
    /// # Errors
    ///
    /// A text that is no TOML; `path` is named.
    pub fn to_text_like(&self, text: &str, path: &Path) -> Result<String, PreferencesError> {
        if text.trim().is_empty() {
            return Ok(self.to_text());
        }
        let mut document: DocumentMut = text
            .parse()
            .map_err(|error| invalid(text, path, &toml_edit::de::Error::from(error)))?;
        let written = |preferences: &Self| preferences.to_text().parse::<DocumentMut>();
        let (Ok(wanted), Ok(defaults)) = (written(self), written(&Self::default())) else {
            return Ok(self.to_text());
        };
        document::lay_over(&mut document, &wanted, &defaults);
        Ok(document.to_string())
    }

    /// Changes the file: reads it again, changes it where it has to change, replaces it as a whole.
    /// Programs take turns.
    ///
    /// # Errors
    ///
    /// A file that cannot be understood is not replaced.
    pub fn update(path: &Path, change: impl FnOnce(&mut Self)) -> Result<Self, PreferencesError> {
        let failed = |source| io_error(path, source);
        let _turn = take_turn(path).map_err(failed)?;
        let text = read(path)?.unwrap_or_default();
        let mut preferences = Self::parse(&text, path)?;
        let before = preferences.clone();
        change(&mut preferences);
        preferences
            .projects
            .retain(|_, project| *project != ProjectPreferences::default());
        preferences
            .banner
            .retain(|_, banner| *banner != Banner::default());
        if preferences != before {
            let text = preferences.to_text_like(&text, path)?;
            write(path, &text).map_err(failed)?;
        }
        Ok(preferences)
    }

    /// Replaces the whole file by a text that has to be understood: an import. What is there has to
    /// be understood too, since nothing that someone wrote is thrown away unseen.
    ///
    /// # Errors
    ///
    /// A text or a file that cannot be understood; `name` stands for the text.
    pub fn import(path: &Path, text: &str, name: &Path) -> Result<Self, PreferencesError> {
        let failed = |source| io_error(path, source);
        let preferences = Self::parse(text, name)?;
        let _turn = take_turn(path).map_err(failed)?;
        Self::load(path)?;
        write(path, text).map_err(failed)?;
        Ok(preferences)
    }

    /// What was chosen about a project.
    pub fn project(&self, key: &ProjectKey) -> ProjectPreferences {
        self.projects
            .get(&key.to_string())
            .cloned()
            .unwrap_or_default()
    }

    /// What was chosen about a project, to be changed.
    pub fn project_mut(&mut self, key: &ProjectKey) -> &mut ProjectPreferences {
        self.projects.entry(key.to_string()).or_default()
    }

    /// The name to show.
    pub fn name_of<'a>(&'a self, project: &'a Project) -> &'a str {
        self.projects
            .get(&project.key.to_string())
            .and_then(|chosen| chosen.name.as_deref())
            .unwrap_or(&project.name)
    }

    /// Puts projects into the chosen order: favourites, then as ordered by hand, then as they come.
    pub fn sort(&self, projects: &mut [Project]) {
        let places: HashMap<&str, usize> = self
            .order
            .iter()
            .enumerate()
            .map(|(place, key)| (key.as_str(), place))
            .collect();
        projects.sort_by_cached_key(|project| {
            let key = project.key.to_string();
            let favourite = self
                .projects
                .get(&key)
                .is_some_and(|chosen| chosen.favourite);
            let place = places.get(key.as_str()).copied().unwrap_or(usize::MAX);
            (!favourite, place)
        });
    }
}

/// The text of the file, if there is one.
fn read(path: &Path) -> Result<Option<String>, PreferencesError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(path, source)),
    }
}

/// Waits until no other program changes the file. The turn ends when the result is dropped.
fn take_turn(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let lock = File::create(path.with_extension("lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Replaces the file as a whole; a link stays a link.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().unwrap_or_else(|| Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

fn invalid(text: &str, path: &Path, error: &toml_edit::de::Error) -> PreferencesError {
    let before = error
        .span()
        .map_or("", |span| text.get(..span.start).unwrap_or(""));
    PreferencesError::Invalid {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        what: error.message().trim().to_owned(),
    }
}

fn io_error(path: &Path, source: std::io::Error) -> PreferencesError {
    PreferencesError::Io {
        path: path.to_owned(),
        source,
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key() -> ProjectKey {
        ProjectKey {
            host: "us".into(),
            id: 12,
        }
    }

    #[test]
    fn a_broken_file_names_its_line_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        std::fs::write(&path, "mode = \"dark\"\nscheme = \"rainbow\"\n").unwrap();
        let error = Preferences::load(&path).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(Preferences::update(&path, |_| ()).is_err());
        assert!(std::fs::read_to_string(&path).unwrap().contains("rainbow"));
    }

    #[test]
    fn a_change_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/preferences.toml");
        Preferences::update(&path, |preferences| {
            preferences.project_mut(&key()).favourite = true;
            preferences.project_mut(&key()).conversions = vec!["it's \"odd\"".into()];
        })
        .unwrap();
        let project = Preferences::load(&path).unwrap().project(&key());
        assert!(project.favourite);
        assert_eq!(project.conversions, ["it's \"odd\""]);
    }

    #[test]
    fn comments_order_and_spelling_survive_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        let before = "# Mine.\n\nscheme = 'fern' # like the logo\nmode=\"dark\"\n\n\
            order = [\n    # the shop first\n    \"us/12\", # main\n    \"eu/3\",   # side\n]\n\n\
            # The shop.\n[projects.\"us/12\"]\nhidden = true # for now\nname = \"Shop\"\n\n\
            [projects.\"eu/3\"]\nfavourite = true\n";
        std::fs::write(&path, before).unwrap();
        Preferences::update(&path, |preferences| {
            preferences.mode = Mode::Light;
            preferences.order = vec!["eu/3".into(), "us/7".into(), "us/12".into()];
            preferences.project_mut(&key()).favourite = true;
            preferences.project_mut(&key()).hidden = false;
        })
        .unwrap();
        let after = std::fs::read_to_string(&path).unwrap();
        insta::assert_snapshot!(after, @r##"
        # Mine.

        scheme = 'fern' # like the logo
        mode="light"

        order = [
            "eu/3",   # side
            "us/7",
            # the shop first
            "us/12", # main
        ]

        # The shop.
        [projects."us/12"]
        name = "Shop"
        favourite = true

        [projects."eu/3"]
        favourite = true
        "##);
    }

    #[test]
    fn a_change_that_changes_nothing_does_not_touch_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        let text = "mode='dark'";
        std::fs::write(&path, text).unwrap();
        Preferences::update(&path, |preferences| preferences.mode = Mode::Dark).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn an_import_that_is_not_understood_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        std::fs::write(&path, "mode = \"dark\"\n").unwrap();
        let import = |text: &str| Preferences::import(&path, text, Path::new("mine.toml"));
        let error = import("mode = \"dark\"\n\nscheme = 7\n").unwrap_err();
        assert!(
            error.to_string().starts_with("mine.toml, line 3"),
            "{error}"
        );
        assert_eq!(Preferences::load(&path).unwrap().mode, Mode::Dark);
        let text = "# copied\nmode = \"light\"\n";
        assert_eq!(import(text).unwrap().mode, Mode::Light);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_file_stays_linked() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("p.toml"), folder.path().join("real"));
        std::fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        Preferences::update(&path, |preferences| preferences.mode = Mode::Dark).unwrap();
        assert!(path.is_symlink());
        assert!(std::fs::read_to_string(&target).unwrap().contains("dark"));
    }

    #[test]
    fn a_snoozed_banner_comes_back() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let banner = Banner {
            dismissed: false,
            snoozed_until: Some(at(100)),
        };
        assert!(!banner.shows_at(at(99)));
        assert!(banner.shows_at(at(100)));
        let dismissed = Banner {
            dismissed: true,
            snoozed_until: None,
        };
        assert!(!dismissed.shows_at(at(1000)));
    }
}
