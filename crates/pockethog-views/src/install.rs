//! The files that another program needs to show a widget.
//!
//! Nothing is written here. Files of PocketHog's own are made beside the other program's configuration, which is never touched:
//! one line in there, which a person adds, takes them in. A file that is there already is not replaced.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::widgets::shell_quoted;
use pockethog_core::digest::Span;

/// A program that shows widgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// tmux's status line.
    Tmux,
    /// A timer of systemd that keeps an image up to date.
    Systemd,
    /// Waybar's custom module.
    Waybar,
    /// xbar or SwiftBar on macOS, Argos elsewhere.
    Xbar,
}

/// How the widget is called.
#[derive(Clone, Debug)]
pub struct Call {
    /// The `pockethog` program.
    pub program: PathBuf,
    /// What follows the command, `widget` or `digest`: projects and options, without the format of a widget.
    pub arguments: Vec<String>,
    /// `POCKETHOG_` variables that it is to find.
    pub environment: Vec<(String, String)>,
}

/// A file to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it belongs.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
    /// True if it is run.
    pub executable: bool,
}

/// What to make, and what is left to do by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The files to create.
    pub pieces: Vec<Piece>,
    /// What a person does then.
    pub then: String,
}

/// Why there is no such file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A word that the other program's file cannot hold.
    #[error(
        "{what} contains a control character, which cannot be written into another program's file"
    )]
    Control {
        /// Which word.
        what: String,
    },
    /// tmux takes a closing parenthesis for the end of the command.
    #[error(
        "tmux cannot use a name with unbalanced parentheses; name the project by its key, like us/12"
    )]
    Parentheses,
    /// A path that is no text.
    #[error("the path {} is not UTF-8, so it cannot be written into another program's file", .0.display())]
    NotText(PathBuf),
}

impl Target {
    /// What has to be made for this program. `config` is the folder of configurations, `home` the user's.
    ///
    /// # Errors
    ///
    /// A word that cannot be written into such a file.
    pub fn plan(self, call: &Call, config: &Path, home: &Path) -> Result<Plan, PlanError> {
        call.check()?;
        Ok(match self {
            Self::Tmux => tmux(call, config)?,
            Self::Systemd => systemd(call, config),
            Self::Waybar => waybar(call, config),
            Self::Xbar => xbar(call, config, home),
        })
    }
}

impl Piece {
    fn new(path: PathBuf, text: String) -> Self {
        Self {
            path,
            text,
            executable: false,
        }
    }
}

/// Where a timer's image is stored; systemd puts the home folder in.
const WIDGET_IMAGE: &str = "%h/.cache/pockethog/widget.png";

/// Where a timer's digests are stored.
const DIGEST_OF_A_DAY: &str = "%h/.cache/pockethog/digest-day.html";
const DIGEST_OF_A_WEEK: &str = "%h/.cache/pockethog/digest-week.html";

fn waybar(call: &Call, config: &Path) -> Plan {
    let folder = config.join("waybar");
    let module = json!({
        "custom/pockethog": {
            "exec": call.shell("waybar"),
            "return-type": "json",
            "interval": 60,
            "on-click": call.app(),
        }
    });
    let style = "\
#custom-pockethog { padding: 0 10px; }
#custom-pockethog.up { color: #2e9e5b; }
#custom-pockethog.down { color: #d64545; }
#custom-pockethog.stale, #custom-pockethog.partly, #custom-pockethog.busy,
#custom-pockethog.throttled, #custom-pockethog.offline { color: #c98a1b; }
#custom-pockethog.signed-out, #custom-pockethog.never-signed-in,
#custom-pockethog.failed, #custom-pockethog.forbidden { color: #d64545; }
";
    Plan {
        pieces: vec![
            Piece::new(folder.join("pockethog.jsonc"), format!("{module:#}\n")),
            Piece::new(folder.join("pockethog.css"), style.to_owned()),
        ],
        then: format!(
            "In {config}, add\n  \"include\": [\"{module}\"]\nand put \"custom/pockethog\" into \
             \"modules-right\". In style.css, add\n  @import \"pockethog.css\";\nThen restart Waybar.",
            config = folder.join("config.jsonc").display(),
            module = folder.join("pockethog.jsonc").display(),
        ),
    }
}

fn tmux(call: &Call, config: &Path) -> Result<Plan, PlanError> {
    let path = config.join("tmux").join("pockethog.conf");
    if !parentheses_pair(&call.shell("tmux")) {
        return Err(PlanError::Parentheses);
    }
    // tmux reads `#` and `%` of the command as formats, and `$`, `\` and `"` of the string.
    let command = call.shell("tmux").replace('#', "##").replace('%', "%%");
    let command = command
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('$', "\\$");
    let text = format!(
        "set -g status-interval 60\n\
         set -g status-right-length 120\n\
         set -ag status-right \" #({command})\"\n"
    );
    let then = format!(
        "In ~/.tmux.conf, add\n  source-file {}\nThen `tmux source-file ~/.tmux.conf`.",
        path.display()
    );
    Ok(Plan {
        pieces: vec![Piece::new(path, text)],
        then,
    })
}

/// tmux counts them to find the end of a command, quotes or not.
fn parentheses_pair(command: &str) -> bool {
    let mut open = 0_usize;
    for letter in command.chars() {
        match letter {
            '(' => open += 1,
            ')' => match open.checked_sub(1) {
                Some(left) => open = left,
                None => return false,
            },
            _ => {}
        }
    }
    open == 0
}

fn xbar(call: &Call, config: &Path, home: &Path) -> Plan {
    let folder = if cfg!(target_os = "macos") {
        home.join("Library/Application Support/xbar/plugins")
    } else {
        config.join("argos")
    };
    let path = folder.join("pockethog.1m.sh");
    let then = format!(
        "{} shows the plugins in this folder. For SwiftBar, put the file into the plugin folder that you chose \
         there.",
        if cfg!(target_os = "macos") {
            "xbar"
        } else {
            "Argos"
        }
    );
    Plan {
        pieces: vec![Piece {
            text: format!("#!/bin/sh\nexec {}\n", call.shell("xbar")),
            path,
            executable: true,
        }],
        then,
    }
}

fn systemd(call: &Call, config: &Path) -> Plan {
    let folder = config.join("systemd").join("user");
    let mut arguments = call.arguments("png");
    if !arguments.iter().any(|argument| argument == "--output") {
        // Before the projects, which may begin with a dash.
        let output = ["--output", WIDGET_IMAGE].map(ToOwned::to_owned);
        arguments.splice(1..1, output);
    }
    let command = unit_command(call, &arguments);
    let environment = unit_environment(call);
    // Signed out or read in part is drawn in the image; the timer goes on.
    let service = format!(
        "[Unit]\nDescription=PocketHog widget\n\n[Service]\nType=oneshot\n{environment}\
         ExecStart={command}\nSuccessExitStatus=4 5\nTimeoutStartSec=90\n"
    );
    let timer = "[Unit]\nDescription=PocketHog widget, every five minutes\n\n[Timer]\n\
                 OnStartupSec=20\nOnUnitInactiveSec=5min\n\n[Install]\nWantedBy=timers.target\n";
    Plan {
        pieces: vec![
            Piece::new(folder.join("pockethog-widget.service"), service),
            Piece::new(folder.join("pockethog-widget.timer"), timer.to_owned()),
        ],
        then: "`systemctl --user daemon-reload && systemctl --user enable --now pockethog-widget.timer`"
            .to_owned(),
    }
}

/// The command line of a unit. Neither here nor in the environment is a dollar expanded.
fn unit_command(call: &Call, arguments: &[String]) -> String {
    let mut command = systemd_quoted(&call.program.display().to_string()).replace("$$", "$");
    for argument in arguments {
        command.push(' ');
        // The specifier for the home folder is ours and stays.
        if [WIDGET_IMAGE, DIGEST_OF_A_DAY, DIGEST_OF_A_WEEK].contains(&argument.as_str()) {
            command.push_str(argument);
        } else {
            command.push_str(&systemd_quoted(argument));
        }
    }
    command
}

fn unit_environment(call: &Call) -> String {
    let mut environment = String::new();
    for (name, value) in &call.environment {
        let pair = systemd_quoted(&format!("{name}={value}")).replace("$$", "$");
        environment += "Environment=";
        environment += &pair;
        environment += "\n";
    }
    environment
}

/// The timer of systemd that makes a digest: each morning, or each Monday. What follows `digest` is in `call`, projects
/// last.
///
/// # Errors
///
/// A word that cannot be written into such a file.
pub fn digest(call: &Call, span: Span, config: &Path) -> Result<Plan, PlanError> {
    call.check()?;
    let folder = config.join("systemd").join("user");
    let mut arguments = vec!["digest".to_owned(), format!("--{}", span.name())];
    let (file, days, when) = match span {
        Span::Day => (DIGEST_OF_A_DAY, "every morning", "*-*-* 07:00"),
        Span::Week => (DIGEST_OF_A_WEEK, "every Monday morning", "Mon *-*-* 07:00"),
    };
    if !call.arguments.iter().any(|argument| argument == "--output") {
        arguments.extend(["--output".to_owned(), file.to_owned()]);
    }
    arguments.extend(call.arguments.iter().cloned());
    let name = format!("pockethog-digest-{}", span.name());
    // What could not be read is named in the digest; the timer goes on.
    let service = format!(
        "[Unit]\nDescription=PocketHog digest\n\n[Service]\nType=oneshot\n{environment}\
         ExecStart={command}\nSuccessExitStatus=4 5\nTimeoutStartSec=180\n",
        environment = unit_environment(call),
        command = unit_command(call, &arguments),
    );
    let timer = format!(
        "[Unit]\nDescription=PocketHog digest, {days}\n\n[Timer]\n\
         OnCalendar={when}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    );
    let service_path = folder.join(format!("{name}.service"));
    Ok(Plan {
        pieces: vec![
            Piece::new(service_path, service),
            Piece::new(folder.join(format!("{name}.timer")), timer),
        ],
        then: format!(
            "`systemctl --user daemon-reload && systemctl --user enable --now {name}.timer`\n\
             To mail it, add a line ExecStartPost= with your mail program to the service."
        ),
    })
}

impl Call {
    /// Files of other programs are made of lines, and escapes for what ends one differ or are missing.
    fn check(&self) -> Result<(), PlanError> {
        let Some(program) = self.program.to_str() else {
            return Err(PlanError::NotText(self.program.clone()));
        };
        let arguments = self
            .arguments
            .iter()
            .map(|word| (word.as_str(), word.as_str()));
        let environment = self.environment.iter();
        let environment = environment.map(|(name, value)| (name.as_str(), value.as_str()));
        let program = [("the path of this program", program)];
        let words = arguments.chain(environment).chain(program);
        for (what, word) in words {
            if word.chars().any(char::is_control) {
                return Err(PlanError::Control {
                    what: what.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn arguments(&self, format: &str) -> Vec<String> {
        let mut arguments = vec!["widget".to_owned()];
        arguments.push("--format".to_owned());
        arguments.push(format.to_owned());
        arguments.extend(self.arguments.iter().cloned());
        arguments
    }

    /// The command for a shell.
    fn shell(&self, format: &str) -> String {
        let mut words = self.environment_words();
        words.push(self.program.display().to_string());
        words.extend(self.arguments(format));
        let quoted: Vec<String> = words.iter().map(|word| shell_quoted(word)).collect();
        quoted.join(" ")
    }

    /// The command that opens the app.
    fn app(&self) -> String {
        let mut words = self.environment_words();
        words.push(self.program.display().to_string());
        let quoted: Vec<String> = words.iter().map(|word| shell_quoted(word)).collect();
        quoted.join(" ")
    }

    fn environment_words(&self) -> Vec<String> {
        if self.environment.is_empty() {
            return Vec::new();
        }
        let pairs = self
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        std::iter::once("env".to_owned()).chain(pairs).collect()
    }
}

/// One word for a unit file: systemd.service(5), "Command lines".
#[must_use]
pub fn systemd_quoted(word: &str) -> String {
    let safe = word
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%")
        .replace('$', "$$");
    format!("\"{safe}\"")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn call() -> Call {
        Call {
            program: "/opt/my tools/pockethog".into(),
            arguments: vec![
                "--max-age".into(),
                "5m".into(),
                "--".into(),
                "it's 50% #1 $HOME".into(),
            ],
            environment: vec![("POCKETHOG_HOME".into(), "/srv/hog".into())],
        }
    }

    fn shown(target: Target) -> String {
        let plan = planned(target, &call()).unwrap();
        let pieces = plan
            .pieces
            .iter()
            .map(|piece| format!("# {}\n{}\n", piece.path.display(), piece.text));
        pieces.chain([plan.then.clone()]).collect()
    }

    fn planned(target: Target, call: &Call) -> Result<Plan, PlanError> {
        target.plan(call, Path::new("/home/ada/.config"), Path::new("/home/ada"))
    }

    #[test]
    fn no_word_adds_a_line_to_a_file_or_ends_a_command() {
        let with = |argument: &str| Call {
            arguments: vec![argument.to_owned()],
            ..call()
        };
        let targets = [Target::Tmux, Target::Systemd, Target::Waybar, Target::Xbar];
        for target in targets {
            for word in ["a\rExecStart=/bin/false", "a\nb", "a\u{85}b", "a\u{1b}b"] {
                let refused = planned(target, &with(word));
                assert!(
                    matches!(refused, Err(PlanError::Control { .. })),
                    "{word:?}"
                );
            }
            let odd = Call {
                environment: vec![("POCKETHOG_HOME".into(), "a\rb".into())],
                ..call()
            };
            assert!(planned(target, &odd).is_err());
        }
        let refused = planned(Target::Tmux, &with("Acorn :) x"));
        assert!(matches!(refused, Err(PlanError::Parentheses)));
        assert!(planned(Target::Tmux, &with("Acorn (new)")).is_ok());
        assert!(planned(Target::Systemd, &with("Acorn :) x")).is_ok());
    }

    #[test]
    fn waybar_is_given_a_module_and_its_colours() {
        insta::assert_snapshot!(shown(Target::Waybar));
    }

    #[test]
    fn tmux_is_given_a_file_to_source() {
        insta::assert_snapshot!(shown(Target::Tmux));
    }

    #[test]
    fn systemd_is_given_a_service_and_a_timer() {
        insta::assert_snapshot!(shown(Target::Systemd));
    }

    #[test]
    fn a_digest_is_made_each_monday() {
        let plan = digest(&call(), Span::Week, Path::new("/home/ada/.config")).unwrap();
        let pieces = plan.pieces.iter();
        let pieces = pieces.map(|piece| format!("# {}\n{}\n", piece.path.display(), piece.text));
        insta::assert_snapshot!(pieces.chain([plan.then.clone()]).collect::<String>());
        let odd = Call {
            arguments: vec!["a\nExecStart=/bin/false".to_owned()],
            ..call()
        };
        let refused = digest(&odd, Span::Day, Path::new("/home/ada/.config"));
        assert!(matches!(refused, Err(PlanError::Control { .. })));
    }
}
