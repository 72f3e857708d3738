//! `pockethog config`: the preferences, one by one or in the person's own editor.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::console::{CliError, Console, Exit, Text};
use super::editor;
use super::select;
use pockethog_core::app_context::AppContext;
use pockethog_core::moves::Metric;
use pockethog_core::preferences::{Alerts, Goal, Preferences, PreferencesError, QuietHours};
use pockethog_core::project::ProjectKey;
use pockethog_device::folders::Folders;
use pockethog_device::private_files::make_file;

/// Read and change the preferences.
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  pockethog config get
  pockethog config set mode dark
  pockethog config set favourite true --project Acorn
  pockethog config edit"
)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Get(Get),
    Set(Set),
    Unset(Unset),
    /// Open the preferences in your editor. They are saved once they are valid.
    #[command(after_help = "\
Examples:
  pockethog config edit
  EDITOR='code --wait' pockethog config edit")]
    Edit,
    /// Print where the preferences file is.
    #[command(after_help = "Examples:\n  pockethog config path")]
    Path,
}

/// Print one preference, or all of them.
#[derive(Debug, Args)]
#[command(after_help = KEYS)]
struct Get {
    /// The preference; all by default.
    key: Option<String>,
    /// The project whose preference this is.
    #[arg(long, value_name = "PROJECT", requires = "key")]
    project: Option<String>,
}

/// Change a preference. Comments in the file are kept.
#[derive(Debug, Args)]
#[command(after_help = KEYS)]
struct Set {
    /// Which one.
    key: String,
    /// The new value; several for a list.
    #[arg(required = true)]
    value: Vec<String>,
    /// The project whose preference this is.
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
}

/// Reset a preference to its default.
#[derive(Debug, Args)]
#[command(after_help = KEYS)]
struct Unset {
    /// Which one.
    key: String,
    /// The project whose preference this is.
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
}

const KEYS: &str = "\
Preferences:
  mode            auto, dark or light
  scheme          ember, fern, graphite, lagoon or plum
  refresh         30s, 1m, 5m or 15m
  week_starts_on  monday or sunday
  compare         what today is compared with: usual, last_week or yesterday
  sensitivity     how readily a project counts as moved: calm, normal or nervous
  without_test_accounts  true or false: leave out the internal and test users of each project's own filter
  without_bots    true or false: leave out bots, if PostHog can tell them
  order           project keys, in the order in which they are shown
  banner          your answer to the sign-in banner; can only be unset
  alerts.on           true or false: tell what is out of the ordinary
  alerts.desktop      true or false: by desktop notifications
  alerts.errors       true or false: when more people than usual meet errors
  alerts.quiet_hours  when nothing is told, for example 22:00-07:00
  alerts.command      a program of yours with its arguments; it gets each alert as JSON
Preferences of one project, with --project:
  name            shown instead of PostHog's name
  favourite       true or false
  hidden          true or false
  conversions     events
  scheme          a colour scheme of its own
  without_test_accounts, without_bots  true or false, whatever is chosen for all projects
  muted           true or false: no alerts about it
  goals           counts of today to be told of: '1000 visitors', 'first Paid'

Examples:
  pockethog config get scheme
  pockethog config set scheme lagoon
  pockethog config set conversions signed_up 'paid invoice' --project Acorn
  pockethog config set order us/12 eu/3
  pockethog config set goals '1000 visitors' 'first Paid' --project Acorn
  pockethog config set alerts.command ~/bin/to-my-phone --urgent
  pockethog config unset name --project us/12";

/// Does what the subcommand says.
///
/// # Errors
///
/// No such preference or value, a file that cannot be understood or written.
pub async fn run(
    program: &AppContext,
    console: &Console,
    config: &Config,
) -> Result<Exit, CliError> {
    let path = program.folders.preferences();
    match &config.command {
        Command::Get(get) => {
            let key = project(program, console, get.project.as_deref()).await?;
            self::get(console, &path, get.key.as_deref(), key.as_ref())
        }
        Command::Set(set) => {
            let key = project(program, console, set.project.as_deref()).await?;
            change(console, &path, &set.key, key.as_ref(), Some(&set.value))
        }
        Command::Unset(unset) => {
            let key = project(program, console, unset.project.as_deref()).await?;
            change(console, &path, &unset.key, key.as_ref(), None)
        }
        Command::Edit => edit(console, &path),
        Command::Path => {
            if console.is_json() {
                console.document(&json!({ "path": path.to_string_lossy() }));
            } else {
                console.line(path.display().to_string());
            }
            Ok(Exit::Done)
        }
    }
}

/// The key of the project that is meant. A key like `us/12` is taken as it is, so that preferences can
/// be changed while signed out.
async fn project(
    program: &AppContext,
    console: &Console,
    typed: Option<&str>,
) -> Result<Option<ProjectKey>, CliError> {
    let Some(typed) = typed else {
        return Ok(None);
    };
    if let Some(key) = select::key(typed) {
        return Ok(Some(key));
    }
    let target = select::Target::find(program, console, typed).await?;
    Ok(Some(target.project.key))
}

fn get(
    console: &Console,
    path: &Path,
    key: Option<&str>,
    project: Option<&ProjectKey>,
) -> Result<Exit, CliError> {
    let preferences = load(console, path)?;
    let Some(key) = key else {
        if console.is_json() {
            console.document(&preferences);
        } else {
            console.line(Text::block(preferences.to_text().trim_end()));
        }
        return Ok(Exit::Done);
    };
    let value = value(&preferences, key, project)?;
    if console.is_json() {
        console.document(&json!({
            "project": project.map(ToString::to_string),
            "key": key,
            "value": value,
        }));
        return Ok(Exit::Done);
    }
    match value {
        Value::Null => {}
        Value::String(text) => console.line(&text),
        Value::Array(items) => {
            for item in items {
                console.line(item.as_str().unwrap_or_default());
            }
        }
        other => console.line(other.to_string()),
    }
    Ok(Exit::Done)
}

fn change(
    console: &Console,
    path: &Path,
    key: &str,
    project: Option<&ProjectKey>,
    values: Option<&Vec<String>>,
) -> Result<Exit, CliError> {
    // Tried on a copy first: the file is only touched by what makes sense.
    let mut trial = load(console, path)?;
    put(&mut trial, key, project, values.map(Vec::as_slice))?;
    let mut result = Ok(());
    let preferences = Preferences::update(path, |preferences| {
        result = put(preferences, key, project, values.map(Vec::as_slice));
    })
    .map_err(broken)?;
    result?;
    if console.is_json() {
        let value = value(&preferences, key, project).unwrap_or(Value::Null);
        console.document(&json!({
            "project": project.map(ToString::to_string),
            "key": key,
            "value": value,
        }));
    }
    Ok(Exit::Done)
}

fn value(
    preferences: &Preferences,
    key: &str,
    project: Option<&ProjectKey>,
) -> Result<Value, CliError> {
    let Some(project) = project else {
        return Ok(match key {
            "mode" => json!(preferences.mode),
            "scheme" => json!(preferences.scheme),
            "refresh" => json!(preferences.refresh),
            "week_starts_on" => json!(preferences.week_starts_on),
            "compare" => json!(preferences.compare),
            "sensitivity" => json!(preferences.sensitivity),
            "without_test_accounts" => json!(preferences.without_test_accounts),
            "without_bots" => json!(preferences.without_bots),
            "order" => json!(preferences.order),
            "banner" => json!(preferences.banner),
            "alerts.on" => json!(preferences.alerts.on),
            "alerts.desktop" => json!(preferences.alerts.desktop),
            "alerts.errors" => json!(preferences.alerts.errors),
            "alerts.quiet_hours" => json!(preferences.alerts.quiet_hours),
            "alerts.command" => json!(preferences.alerts.command),
            _ => return Err(unknown(key, project)),
        });
    };
    let chosen = preferences.project(project);
    Ok(match key {
        "name" => json!(chosen.name),
        "favourite" => json!(chosen.favourite),
        "hidden" => json!(chosen.hidden),
        "conversions" => json!(chosen.conversions),
        "scheme" => json!(chosen.scheme),
        "without_test_accounts" => json!(chosen.without_test_accounts),
        "without_bots" => json!(chosen.without_bots),
        "muted" => json!(chosen.muted),
        "goals" => json!(chosen.goals),
        _ => return Err(unknown(key, Some(project))),
    })
}

/// Sets a preference to `values`, or to its default without them.
fn put(
    preferences: &mut Preferences,
    key: &str,
    project: Option<&ProjectKey>,
    values: Option<&[String]>,
) -> Result<(), CliError> {
    let list = || values.unwrap_or_default().to_vec();
    let Some(project) = project else {
        match key {
            "mode" => preferences.mode = choice(key, values)?,
            "scheme" => preferences.scheme = choice(key, values)?,
            "refresh" => preferences.refresh = choice(key, values)?,
            "week_starts_on" => preferences.week_starts_on = choice(key, values)?,
            "compare" => preferences.compare = choice(key, values)?,
            "sensitivity" => preferences.sensitivity = choice(key, values)?,
            "without_test_accounts" => preferences.without_test_accounts = truth(key, values)?,
            "without_bots" => preferences.without_bots = truth(key, values)?,
            "order" => {
                if let Some(wrong) = list().iter().find(|key| !is_project_key(key)) {
                    return Err(CliError::usage(format!(
                        "“{wrong}” is not the key of a project; keys are like us/12"
                    )));
                }
                preferences.order = list();
            }
            "alerts.on" => preferences.alerts.on = truth(key, values)?,
            "alerts.desktop" => {
                let unset = Alerts::default().desktop;
                preferences.alerts.desktop = values.map_or(Ok(unset), |_| truth(key, values))?;
            }
            "alerts.errors" => preferences.alerts.errors = truth(key, values)?,
            "alerts.quiet_hours" => {
                let hours = one(key, values)?.map(|hours| hours.parse::<QuietHours>());
                preferences.alerts.quiet_hours = hours.transpose().map_err(CliError::usage)?;
            }
            "alerts.command" => {
                if let Some(program) = list().first() {
                    exists(program)?;
                }
                preferences.alerts.command = list();
            }
            "banner" if values.is_none() => preferences.banner.clear(),
            "banner" => {
                return Err(CliError::usage(
                    "banner can only be unset; the banner is then shown again",
                ));
            }
            _ => return Err(unknown(key, None)),
        }
        return Ok(());
    };
    let chosen = preferences.project_mut(project);
    match key {
        "name" => chosen.name = one(key, values)?.filter(|name| !name.trim().is_empty()),
        "favourite" => chosen.favourite = truth(key, values)?,
        "hidden" => chosen.hidden = truth(key, values)?,
        "conversions" => {
            if list().iter().any(|event| event.trim().is_empty()) {
                return Err(CliError::usage("the name of an event cannot be empty"));
            }
            chosen.conversions = list();
        }
        "scheme" => chosen.scheme = values.map(|_| choice(key, values)).transpose()?,
        "without_test_accounts" => {
            chosen.without_test_accounts = values.map(|_| truth(key, values)).transpose()?;
        }
        "without_bots" => {
            chosen.without_bots = values.map(|_| truth(key, values)).transpose()?;
        }
        "muted" => chosen.muted = truth(key, values)?,
        "goals" => {
            let goals: Result<Vec<Goal>, _> = list().iter().map(|goal| goal.parse()).collect();
            let goals = goals.map_err(CliError::usage)?;
            chosen.goals = counted(goals, &chosen.conversions)?;
        }
        _ => return Err(unknown(key, Some(project))),
    }
    Ok(())
}

fn is_project_key(key: &str) -> bool {
    select::key(key).is_some()
}

/// A command that cannot be started would be noticed only when there is something to tell.
fn exists(program: &str) -> Result<(), CliError> {
    match pockethog_alerts::find_program(program) {
        Some(_) => Ok(()),
        None => Err(CliError::usage(format!(
            "there is no program “{program}”; name a file that can be run, by its full path or as it is found in PATH"
        ))),
    }
}

/// A goal of an event that is not counted is never reached.
fn counted(goals: Vec<Goal>, conversions: &[String]) -> Result<Vec<Goal>, CliError> {
    for goal in &goals {
        if let Metric::Conversion(event) = &goal.metric
            && !conversions.contains(event)
        {
            return Err(CliError::usage(format!(
                "“{event}” is not a conversion of this project, so it is not counted; choose it first, with \
                 `pockethog config set conversions`"
            )));
        }
    }
    Ok(goals)
}

fn one(key: &str, values: Option<&[String]>) -> Result<Option<String>, CliError> {
    match values {
        None => Ok(None),
        Some([value]) => Ok(Some(value.clone())),
        Some(_) => Err(CliError::usage(format!(
            "{key} takes one value; put quotes around a value that contains spaces"
        ))),
    }
}

fn truth(key: &str, values: Option<&[String]>) -> Result<bool, CliError> {
    match one(key, values)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(CliError::usage(format!(
            "{key} must be true or false, not “{other}”"
        ))),
    }
}

/// One of a few names. What they are comes from serde's own message.
fn choice<T: DeserializeOwned + Serialize + Default>(
    key: &str,
    values: Option<&[String]>,
) -> Result<T, CliError> {
    let Some(value) = one(key, values)? else {
        return Ok(T::default());
    };
    serde_json::from_value(Value::String(value.to_lowercase())).map_err(|error| {
        let choices = error.to_string();
        let choices = choices
            .split_once("expected ")
            .map_or(choices.as_str(), |(_, choices)| choices)
            .trim_start_matches("one of ")
            .replace('`', "");
        CliError::usage(format!(
            "{key} cannot be “{value}”; choose one of {choices}"
        ))
    })
}

fn unknown(key: &str, project: Option<&ProjectKey>) -> CliError {
    let of_project = [
        "name",
        "favourite",
        "hidden",
        "conversions",
        "scheme",
        "without_test_accounts",
        "without_bots",
        "muted",
        "goals",
    ];
    let of_all = [
        "mode",
        "scheme",
        "refresh",
        "week_starts_on",
        "compare",
        "sensitivity",
        "without_test_accounts",
        "without_bots",
        "order",
        "banner",
        "alerts.on",
        "alerts.desktop",
        "alerts.errors",
        "alerts.quiet_hours",
        "alerts.command",
    ];
    CliError::usage(match project {
        None if of_project.contains(&key) => {
            format!("{key} is a preference of a project; name the project with --project")
        }
        Some(_) if of_all.contains(&key) => {
            format!("{key} is not a preference of a project; leave out --project")
        }
        None => format!(
            "there is no preference “{key}”; the preferences are {}",
            of_all.join(", ")
        ),
        Some(_) => format!(
            "a project has no preference “{key}”; its preferences are {}",
            of_project.join(", ")
        ),
    })
}

fn load(console: &Console, path: &Path) -> Result<Preferences, CliError> {
    let (preferences, problem) = Preferences::load(path);
    match problem {
        Some(problem) if problem.is_whole() => return Err(broken(problem)),
        Some(problem) => console.remark(&format!("preferences: {problem}")),
        None => {}
    }
    Ok(preferences)
}

fn broken(error: PreferencesError) -> CliError {
    match error {
        error @ PreferencesError::Invalid { .. } => CliError::failed(format!(
            "{error}; to edit the file, run `pockethog config edit`"
        )),
        error => CliError::failed(error),
    }
}

/// Opens a copy, and puts it in place only once it can be understood.
fn edit(console: &Console, path: &Path) -> Result<Exit, CliError> {
    let written = Preferences::text(path).map_err(broken)?;
    let before = written.unwrap_or_else(|| Preferences::default().to_text());
    // A link to a file elsewhere stays a link.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let copy: PathBuf = target.with_extension("edited.toml");
    let wrong = |error: std::io::Error| CliError::failed(format!("{}: {error}", copy.display()));
    if let Some(folder) = path.parent() {
        Folders::make_config(folder)?;
    }
    make_file(&copy)?;
    std::fs::write(&copy, &before).map_err(wrong)?;
    let edited = editor::open(&copy).and_then(|()| std::fs::read_to_string(&copy).map_err(wrong));
    let text = match edited {
        Ok(text) => text,
        Err(error) => {
            std::fs::remove_file(&copy).ok();
            return Err(error);
        }
    };
    if text == before && Preferences::parse(&text, path).is_ok() {
        std::fs::remove_file(&copy).ok();
        console.say("Nothing was changed.");
        return Ok(Exit::Done);
    }
    if let Err(error) = Preferences::parse(&text, &copy) {
        return Err(CliError::failed(format!(
            "{error}. Your text is kept in that file; the preferences were not changed"
        )));
    }
    if std::fs::read_to_string(path).is_ok_and(|now| now != before) {
        return Err(CliError::failed(format!(
            "another program has changed the preferences in the meantime, so they were not replaced; your text is kept in {}",
            copy.display()
        )));
    }
    std::fs::rename(&copy, &target).map_err(wrong)?;
    console.say("The preferences were changed.");
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key() -> ProjectKey {
        ProjectKey {
            host: "https://posthog.example.org".to_owned(),
            id: 12,
        }
    }

    fn set(key: &str, project: Option<&ProjectKey>, values: &[&str]) -> Result<Value, String> {
        let mut preferences = Preferences::default();
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        put(&mut preferences, key, project, Some(&values))
            .and_then(|()| value(&preferences, key, project))
            .map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn every_preference_can_be_set_and_read() {
        for (name, value, expected) in [
            ("mode", &["Dark"][..], json!("dark")),
            ("scheme", &["plum"], json!("plum")),
            ("refresh", &["5m"], json!("5m")),
            ("week_starts_on", &["sunday"], json!("sunday")),
            ("compare", &["last_week"], json!("last_week")),
            ("sensitivity", &["nervous"], json!("nervous")),
            ("order", &["us/12", "eu/3"], json!(["us/12", "eu/3"])),
            ("alerts.on", &["true"], json!(true)),
            ("alerts.desktop", &["false"], json!(false)),
            ("alerts.errors", &["true"], json!(true)),
            ("alerts.quiet_hours", &["22:00-7:00"], json!("22:00-07:00")),
            ("alerts.command", &["sh", "-c"], json!(["sh", "-c"])),
        ] {
            assert_eq!(set(name, None, value).unwrap(), expected, "{name}");
        }
        for (name, value, expected) in [
            ("name", &["My shop"][..], json!("My shop")),
            ("favourite", &["true"], json!(true)),
            ("hidden", &["true"], json!(true)),
            ("conversions", &["a", "b c"], json!(["a", "b c"])),
            ("scheme", &["fern"], json!("fern")),
            ("muted", &["true"], json!(true)),
            ("goals", &["1,000 visitors"], json!(["1000 visitors"])),
        ] {
            assert_eq!(set(name, Some(&key()), value).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn a_wrong_value_is_told_what_is_right() {
        let error = set("mode", None, &["purple"]).unwrap_err();
        assert!(error.contains("auto, dark, light"), "{error}");
        let error = set("favourite", None, &["true"]).unwrap_err();
        assert!(error.contains("--project"), "{error}");
        assert!(set("order", None, &["Acorn"]).is_err());
        assert!(set("name", Some(&key()), &["two", "words"]).is_err());
        assert!(set("colour", None, &["red"]).is_err());
    }

    #[test]
    fn a_goal_quiet_hours_or_a_command_that_makes_no_sense_is_named() {
        for (name, project, value, says) in [
            ("goals", Some(key()), "many visitors", "is no goal"),
            ("goals", Some(key()), "first Paid", "is not a conversion"),
            ("alerts.quiet_hours", None, "22:00-22:00", "22:00-07:00"),
            ("alerts.command", None, "/nowhere/ping", "no program"),
            ("alerts.command", None, "no-such-program", "no program"),
            ("alerts.on", None, "maybe", "true or false"),
        ] {
            let error = set(name, project.as_ref(), &[value]).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let mut preferences = Preferences::default();
        preferences.alerts.desktop = false;
        put(&mut preferences, "alerts.desktop", None, None).unwrap();
        assert!(preferences.alerts.desktop);
    }

    #[test]
    fn unset_is_the_default() {
        let mut preferences = Preferences::default();
        put(&mut preferences, "mode", None, Some(&["dark".to_owned()])).unwrap();
        put(&mut preferences, "mode", None, None).unwrap();
        assert_eq!(preferences, Preferences::default());
    }
}
