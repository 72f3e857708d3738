//! The user's preferences: names, order, favourites, conversions, colours, refresh interval.
//!
//! One TOML file that can be read and edited by hand, keyed by Host and project number and never by
//! credential. What cannot be understood in it is reported with its line, the rest is in force, and it stays in
//! the file whatever else is changed: someone's edit is in there, or a newer version's. A file that is no TOML
//! is never overwritten.

mod alerts;
mod asked;
mod lenient;

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::Utf8Error;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pockethog_device::folders::Folders;
use pockethog_device::private_files::{PrivateError, open_lock, read_small, write_durably};
use pockethog_device::toml_text;
use serde::{Deserialize, Serialize};
use toml_edit::DocumentMut;

use crate::age;
use crate::moves::{Compare, Sensitivity, Settings};
use crate::project::{Project, ProjectKey};

pub use alerts::{Alerts, Goal, NoGoal, NoQuietHours, QuietHours};
pub use lenient::Ignored;

/// A larger file is not read: a thousand projects take a tenth of it.
const LARGEST: u64 = 4 << 20;

/// How long another program may take to change the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked at in the meantime.
const LOCK_POLL: Duration = Duration::from_millis(20);

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
    /// What today and the last 24 hours are compared with. Version 0.1.0 does not know it: not written unless chosen.
    #[serde(skip_serializing_if = "is_default")]
    pub compare: Compare,
    /// How readily a number leaves its usual range. As above.
    #[serde(skip_serializing_if = "is_default")]
    pub sensitivity: Sensitivity,
    /// Whether events of the project's own internal and test users are left out of all numbers. As above.
    #[serde(skip_serializing_if = "is_false")]
    pub without_test_accounts: bool,
    /// Whether events of bots are left out, if PostHog can tell them. As above.
    #[serde(skip_serializing_if = "is_false")]
    pub without_bots: bool,
    /// What the person wants to be told of. As above.
    #[serde(skip_serializing_if = "is_default")]
    pub alerts: Alerts,
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
    /// As [`Preferences::without_test_accounts`], for this project alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_test_accounts: Option<bool>,
    /// As [`Preferences::without_bots`], for this project alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_bots: Option<bool>,
    /// No alert is raised about it.
    #[serde(skip_serializing_if = "is_false")]
    pub muted: bool,
    /// Counts of today that are told once they are reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<Goal>,
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

    /// How old numbers may be, in seconds, as long as each refresh comes in time: two of them, and some.
    pub fn fresh_seconds(self) -> i64 {
        let seconds = i64::try_from(self.seconds()).unwrap_or(i64::MAX / 4);
        seconds * 2 + 15
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
    /// How long a person is left alone who was asked to be reminded later.
    const SNOOZE: SignedDuration = SignedDuration::from_hours(7 * 24);

    /// Shows it later.
    pub fn snooze(&mut self, now: Timestamp) {
        self.snoozed_until = now.saturating_add(Self::SNOOZE).ok();
    }

    /// Whether the banner is to be shown at `now`.
    pub fn shows_at(&self, now: Timestamp) -> bool {
        let snoozed = self.snoozed_until.is_some_and(|until| {
            // A longer one was noted by a clock that was ahead.
            let longest = age::latest(now).saturating_add(Self::SNOOZE);
            until > now && longest.is_ok_and(|longest| until <= longest)
        });
        !self.dismissed && !snoozed
    }
}

/// Why preferences were not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreferencesError {
    /// The file cannot be understood. Defaults are in use; the file stays as it is.
    #[error("{}, line {line}: {source}; defaults are used until this is fixed", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        source: InvalidText,
    },
    /// Some of the file cannot be understood. The rest is in force; the file stays as it is.
    #[error("{}, {}; all other preferences apply", path.display(), lenient::listed(ignored))]
    Partly {
        /// The file.
        path: PathBuf,
        /// What is ignored, in the order of lines.
        ignored: Vec<Ignored>,
    },
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is a link into a folder that cannot be written to, for example of a system that is configured as
    /// a whole.
    #[error("{} is a link to {}, which cannot be changed: {source}", path.display(), target.display())]
    Linked {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder or the lock belongs to another user.
    #[error(transparent)]
    Private(#[from] PrivateError),
}

/// What is wrong with the text of the preferences.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidText {
    /// It is not UTF-8.
    #[error("this is not UTF-8 text")]
    NotUtf8(#[source] Utf8Error),
    /// It is not TOML, or holds what this version does not know.
    #[error("{}", .0.message().trim())]
    NotUnderstood(#[source] toml_edit::de::Error),
}

impl PreferencesError {
    /// True if nothing of the file is in force, and nothing can be saved.
    pub fn is_whole(&self) -> bool {
        !matches!(self, Self::Partly { .. })
    }
}

impl ProjectPreferences {
    /// Shows `name` instead of `original`, PostHog's name; that one again if there is nothing else to show.
    pub fn rename(&mut self, name: &str, original: &str) {
        let name = name.trim();
        self.name =
            (!name.is_empty() && name != original).then(|| name.chars().take(200).collect());
    }
}

impl Preferences {
    /// What the moves of projects are judged by.
    pub(crate) fn judged_by(&self) -> Settings {
        Settings {
            compare: self.compare,
            sensitivity: self.sensitivity,
        }
    }

    /// Reads the file, and says what is wrong with it, if something is. What can be understood is in force;
    /// defaults replace the rest.
    pub fn load(path: &Path) -> (Self, Option<PreferencesError>) {
        let read = match Self::text(path) {
            Ok(Some(text)) => lenient::parse(&text, path),
            Ok(None) => return (Self::default(), None),
            Err(error) => Err(error),
        };
        match read {
            Ok((preferences, ignored)) => {
                let path = path.to_owned();
                let problem =
                    (!ignored.is_empty()).then_some(PreferencesError::Partly { path, ignored });
                (preferences, problem)
            }
            Err(error) => (Self::default(), Some(error)),
        }
    }

    /// The text of the file, if there is one.
    ///
    /// # Errors
    ///
    /// No file, one that is too large, or no text.
    pub fn text(path: &Path) -> Result<Option<String>, PreferencesError> {
        let bytes = read_small(path, LARGEST).map_err(|source| io_error(path, source))?;
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        String::from_utf8(bytes).map(Some).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            PreferencesError::Invalid {
                path: path.to_owned(),
                line: line_after(&String::from_utf8_lossy(before)),
                source: InvalidText::NotUtf8(error.utf8_error()),
            }
        })
    }

    /// Reads a text that has to be understood as a whole; `path` is named in errors.
    ///
    /// # Errors
    ///
    /// A text that is no TOML, or holds what this version does not know.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PreferencesError> {
        toml_edit::de::from_str(text).map_err(|error| invalid(text, path, error))
    }

    /// The text of a new file.
    pub fn to_text(&self) -> String {
        let body = toml_edit::ser::to_string_pretty(self).unwrap_or_default();
        format!("# Preferences of PocketHog. Edit them here or on its settings page.\n\n{body}")
    }

    /// `text`, changed if it says something else than these preferences. Comments, order and
    /// spelling of everything else stay, and so does what cannot be understood.
    ///
    /// # Errors
    ///
    /// A text that is no TOML; `path` is named.
    pub(crate) fn to_text_like(&self, text: &str, path: &Path) -> Result<String, PreferencesError> {
        if text.trim().is_empty() {
            return Ok(self.to_text());
        }
        let mut document: DocumentMut = text
            .parse()
            .map_err(|error: toml_edit::TomlError| invalid(text, path, error.into()))?;
        let written = |preferences: &Self| preferences.to_text().parse::<DocumentMut>();
        let (Ok(wanted), Ok(defaults)) = (written(self), written(&Self::default())) else {
            return Ok(self.to_text());
        };
        let ignored =
            lenient::parse(text, path).map_or_else(|_| Vec::new(), |(_, ignored)| ignored);
        let ignored: Vec<_> = ignored.into_iter().map(|entry| entry.keys).collect();
        toml_text::lay_over(&mut document, &wanted, &defaults, &ignored);
        Ok(document.to_string())
    }

    /// Changes the file: reads it again, changes it if it has to change, replaces it as a whole.
    /// Programs take turns.
    ///
    /// # Errors
    ///
    /// A file that is no TOML is not replaced.
    pub fn update(path: &Path, change: impl FnOnce(&mut Self)) -> Result<Self, PreferencesError> {
        let _turn = take_turn(path)?;
        let text = Self::text(path)?.unwrap_or_default();
        let (mut preferences, _) = lenient::parse(&text, path)?;
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
            write(path, &text)?;
        }
        Ok(preferences)
    }

    /// Replaces the whole file by a text that has to be understood: an import. What is there has to
    /// be understood too, since nothing that someone wrote is thrown away unseen. The command for alerts stays as it is,
    /// whatever the text says: a program is named in the file itself or on the command line, and by no page.
    ///
    /// # Errors
    ///
    /// A text or a file that cannot be understood; `name` stands for the text.
    pub fn import(path: &Path, text: &str, name: &Path) -> Result<Self, PreferencesError> {
        let mut preferences = Self::parse(text, name)?;
        let _turn = take_turn(path)?;
        let mut command = Vec::new();
        if let Some(text) = Self::text(path)? {
            command = Self::parse(&text, path)?.alerts.command;
        }
        if preferences.alerts.command == command {
            write(path, text)?;
            return Ok(preferences);
        }
        preferences.alerts.command = command;
        let text = preferences.to_text_like(text, name)?;
        // What is written is what counts, however the text spells it.
        let written = Self::parse(&text, name)?;
        let text = if written == preferences {
            text
        } else {
            preferences.to_text()
        };
        write(path, &text)?;
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
        self.sort_by_project(projects, |project| project);
    }

    /// As [`sort`](Self::sort), for what belongs to a project.
    pub fn sort_by_project<T>(&self, items: &mut [T], project: impl Fn(&T) -> &Project) {
        let places: HashMap<&str, usize> = self
            .order
            .iter()
            .enumerate()
            .map(|(place, key)| (key.as_str(), place))
            .collect();
        items.sort_by_cached_key(|item| {
            let key = project(item).key.to_string();
            let favourite = self
                .projects
                .get(&key)
                .is_some_and(|chosen| chosen.favourite);
            let place = places.get(key.as_str()).copied().unwrap_or(usize::MAX);
            (!favourite, place)
        });
    }
}

/// Waits until no other program changes the file. The turn ends when the result is dropped.
fn take_turn(path: &Path) -> Result<File, PreferencesError> {
    if let Some(folder) = path.parent() {
        Folders::make_config(folder)?;
    }
    let name = path.with_extension("lock");
    let lock = open_lock(&name)?;
    let give_up = Instant::now() + PATIENCE;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                std::thread::sleep(LOCK_POLL);
            }
            Err(TryLockError::WouldBlock) => {
                let held = std::io::Error::other("another program has kept it locked for too long");
                return Err(io_error(&name, held));
            }
            Err(TryLockError::Error(source)) => return Err(io_error(&name, source)),
        }
    }
}

/// Replaces the file as a whole; a link stays a link.
fn write(path: &Path, text: &str) -> Result<(), PreferencesError> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    write_durably(&target, text.as_bytes()).map_err(|source| {
        let path = path.to_owned();
        if path.is_symlink() {
            PreferencesError::Linked {
                path,
                target,
                source,
            }
        } else {
            PreferencesError::Io { path, source }
        }
    })
}

fn line_after(before: &str) -> usize {
    before.matches('\n').count() + 1
}

fn invalid(text: &str, path: &Path, error: toml_edit::de::Error) -> PreferencesError {
    let before = error
        .span()
        .map_or("", |span| text.get(..span.start).unwrap_or(""));
    PreferencesError::Invalid {
        path: path.to_owned(),
        line: line_after(before),
        source: InvalidText::NotUnderstood(error),
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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
    fn a_file_that_is_no_toml_names_its_line_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        std::fs::write(&path, "mode = \"dark\"\nscheme = rainbow\n").unwrap();
        let (preferences, problem) = Preferences::load(&path);
        let problem = problem.unwrap();
        assert!(problem.to_string().contains("line 2"), "{problem}");
        assert!(problem.is_whole());
        assert_eq!(preferences, Preferences::default());
        let error = Preferences::update(&path, |preferences| preferences.mode = Mode::Dark);
        assert!(error.is_err());
        assert!(std::fs::read_to_string(&path).unwrap().contains("rainbow"));
    }

    #[test]
    fn what_is_not_understood_keeps_nothing_else_from_being_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        let before = "mode = \"dark\"\nscheme = \"rainbow\"\nsound = true\norder = 7\n\n\
            [projects.\"us/12\"]\nhidden = \"yes\"\nname = \"Shop\"\nicon = \"🦔\"\n\n\
            [projects.\"us/13\"]\nicon = \"🦔\"\n\n[window]\nwidth = 7\n";
        std::fs::write(&path, before).unwrap();
        let (preferences, problem) = Preferences::load(&path);
        assert_eq!(preferences.mode, Mode::Dark);
        assert_eq!(preferences.project(&key()).name.as_deref(), Some("Shop"));
        let problem = problem.unwrap();
        assert!(!problem.is_whole());
        let problem = problem
            .to_string()
            .replace(&path.display().to_string(), "FILE");
        insta::assert_snapshot!(problem, @r#"FILE, line 2: scheme: unknown variant `rainbow`, expected one of `ember`, `fern`, `graphite`, `lagoon`, `plum`; line 3: there is no preference `sound`; line 4: order: invalid type: integer `7`, expected a sequence; line 7: hidden: invalid type: string "yes", expected a boolean; line 9: there is no preference `icon`; and 2 more; all other preferences apply"#);

        // Someone may have meant something: it stays whatever else changes.
        Preferences::update(&path, |preferences| {
            preferences.mode = Mode::Light;
            preferences.project_mut(&key()).name = None;
            preferences.project_mut(&key()).favourite = true;
        })
        .unwrap();
        let after = before
            .replace("dark", "light")
            .replace("name = \"Shop\"\n", "")
            .replacen("icon = \"🦔\"\n", "icon = \"🦔\"\nfavourite = true\n", 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        Preferences::update(&path, |preferences| preferences.scheme = Scheme::Fern).unwrap();
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .contains("scheme = \"fern\"")
        );
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        let problem = |path: &Path| Preferences::load(path).1.unwrap().to_string();
        std::fs::create_dir(&path).unwrap();
        assert!(problem(&path).contains("not a regular file"));
        std::fs::remove_dir(&path).unwrap();
        let file = File::create(&path).unwrap();
        file.set_len(200 << 20).unwrap();
        assert!(problem(&path).contains("larger than 4096 KiB"));
        #[cfg(unix)]
        {
            std::fs::remove_file(&path).unwrap();
            let made = std::process::Command::new("mkfifo").arg(&path).status();
            assert!(made.unwrap().success());
            assert!(problem(&path).contains("not a regular file"));
            assert!(Preferences::update(&path, |_| ()).is_err());
        }
    }

    #[test]
    fn text_in_another_encoding_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        std::fs::write(&path, b"mode = \"dark\"\n# caf\xe9\n").unwrap();
        let problem = Preferences::load(&path).1.unwrap().to_string();
        assert!(
            problem.contains("line 2: this is not UTF-8 text"),
            "{problem}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_where_nothing_can_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        // In /proc nobody can make a file, root included.
        std::os::unix::fs::symlink("/proc/version", &path).unwrap();
        let error = write(&path, "mode = \"dark\"\n").unwrap_err().to_string();
        assert!(error.contains("is a link to /proc/version"), "{error}");
        assert!(!error.contains("/proc/.tmp"), "{error}");
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
        let project = Preferences::load(&path).0.project(&key());
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
        assert_eq!(Preferences::load(&path).0.mode, Mode::Dark);
        let text = "# copied\nmode = \"light\"\n";
        assert_eq!(import(text).unwrap().mode, Mode::Light);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn an_import_sets_no_command_however_it_is_spelled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        let command = || Preferences::load(&path).0.alerts.command;
        for before in [
            "",
            "[alerts]\non = true\ncommand = [\"mine\", \"-v\"] # hands off\n",
        ] {
            for imported in [
                "mode = \"light\"\n[alerts]\ncommand = [\"evil\"] # please\n",
                "mode = \"light\"\nalerts.command = [\"evil\"]\n",
                "alerts = { on = true, command = [\"evil\"] }\nmode = \"light\"\n",
                "mode = \"light\"\n[\"alerts\"]\n\"command\" = ['mine', '-v', 'evil']\n",
                "mode = \"light\"\n[alerts]\ncommand = []\n",
                "mode = \"light\"\n",
            ] {
                std::fs::write(&path, before).unwrap();
                let kept = command();
                Preferences::import(&path, imported, Path::new("mine.toml")).unwrap();
                assert_eq!(command(), kept, "{before} {imported}");
                assert_eq!(Preferences::load(&path).0.mode, Mode::Light);
                assert!(!std::fs::read_to_string(&path).unwrap().contains("evil"));
            }
        }
    }

    #[test]
    fn an_alert_setting_that_makes_no_sense_leaves_the_others_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preferences.toml");
        let text = "[alerts]\non = true\nquiet_hours = \"25:00-07:00\"\n\n\
            [projects.\"us/12\"]\ngoals = [\"many visitors\"]\nmuted = true\n";
        std::fs::write(&path, text).unwrap();
        let (preferences, problem) = Preferences::load(&path);
        assert!(preferences.alerts.on && preferences.project(&key()).muted);
        let problem = problem.unwrap().to_string();
        let problem = problem.replace(&path.display().to_string(), "FILE");
        insta::assert_snapshot!(problem, @"FILE, line 3: quiet_hours: “25:00-07:00” is no span of quiet hours; write two different times of day, for example 22:00-07:00; line 6: goals: “many visitors” is no goal; write a number and what is counted, for example “1000 visitors”, “5000 pageviews”, “20 Paid” or “first Paid”; all other preferences apply");
        Preferences::update(&path, |preferences| preferences.alerts.errors = true).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("25:00-07:00") && text.contains("many visitors"),
            "{text}"
        );
        assert!(text.contains("errors = true"), "{text}");
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
        // The clock was a year ahead when it was snoozed.
        assert!(banner.shows_at(at(100 - 365 * 86_400)));
        let mut banner = Banner::default();
        banner.snooze(at(100));
        assert!(!banner.shows_at(at(100)));
        let dismissed = Banner {
            dismissed: true,
            snoozed_until: None,
        };
        assert!(!dismissed.shows_at(at(1000)));
    }
}
