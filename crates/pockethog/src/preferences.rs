//! What a person chose: names, order, favourites, conversions, colours, cadence.
//!
//! One TOML file that can be read and edited by hand, keyed by Host and project number and never by
//! credential. A file that cannot be understood is reported with its line, the program goes on with
//! defaults, and the file is never overwritten: someone's edit is in there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

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
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(PreferencesError::Io {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Reads a text; `path` is named in errors.
    ///
    /// # Errors
    ///
    /// A text that is no TOML, or holds what no version of this program wrote.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PreferencesError> {
        toml_edit::de::from_str(text).map_err(|error| {
            let before = error
                .span()
                .map_or("", |span| text.get(..span.start).unwrap_or(""));
            PreferencesError::Invalid {
                path: path.to_owned(),
                line: before.matches('\n').count() + 1,
                what: error.message().trim().to_owned(),
            }
        })
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let body = toml_edit::ser::to_string_pretty(self).unwrap_or_default();
        format!("# Preferences of PocketHog. Edit them here or on its settings page.\n\n{body}")
    }

    /// Changes the file: reads it again, changes, replaces it as a whole.
    ///
    /// # Errors
    ///
    /// A file that cannot be understood is not replaced.
    pub fn update(path: &Path, change: impl FnOnce(&mut Self)) -> Result<Self, PreferencesError> {
        let mut preferences = Self::load(path)?;
        change(&mut preferences);
        preferences
            .projects
            .retain(|_, project| *project != ProjectPreferences::default());
        preferences
            .save(path)
            .map_err(|source| PreferencesError::Io {
                path: path.to_owned(),
                source,
            })?;
        Ok(preferences)
    }

    fn save(&self, path: &Path) -> std::io::Result<()> {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(self.to_text().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
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
        let place = |project: &Project| {
            let key = project.key.to_string();
            self.order
                .iter()
                .position(|ordered| *ordered == key)
                .unwrap_or(usize::MAX)
        };
        projects
            .sort_by_cached_key(|project| (!self.project(&project.key).favourite, place(project)));
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
