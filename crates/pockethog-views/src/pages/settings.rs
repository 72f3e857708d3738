//! Settings: appearance, data, projects, account.

use maud::{Markup, html};

use super::layout::{Notice, Shell, Tone};
use super::order::{self, ProjectList};
use super::project_path;
use crate::colours::{self, SCHEMES};
use pockethog_core::moves::{Compare, Sensitivity};
use pockethog_core::overview::LeftOut;
use pockethog_core::preferences::{Alerts, Cadence, Mode, ProjectPreferences, Scheme, WeekStart};
use pockethog_core::project::ProjectKey;

/// The cadences, each with its name in forms and files and with its words.
pub const CADENCES: [(Cadence, &str, &str); 4] = [
    (Cadence::HalfMinute, "30s", "30 seconds"),
    (Cadence::Minute, "1m", "minute"),
    (Cadence::FiveMinutes, "5m", "5 minutes"),
    (Cadence::QuarterHour, "15m", "15 minutes"),
];

/// What today can be compared with, each with its name in forms and files and with its words.
pub const COMPARES: [(Compare, &str, &str); 3] = [
    (Compare::Usual, "usual", "what is usual by now"),
    (Compare::LastWeek, "last_week", "the same weekday last week"),
    (Compare::Yesterday, "yesterday", "yesterday by now"),
];

/// The sensitivities, each with its name in forms and files and with its words.
pub const SENSITIVITIES: [(Sensitivity, &str, &str); 3] = [
    (Sensitivity::Calm, "calm", "Only what is far out"),
    (Sensitivity::Normal, "normal", "Normal"),
    (
        Sensitivity::Nervous,
        "nervous",
        "Earlier, and wrong more often",
    ),
];

/// Whether events are left out, each with its name in forms and with its words.
pub const LEAVING_OUT: [(bool, &str, &str); 2] = [
    (false, "counted", "Counted"),
    (true, "left_out", "Left out"),
];

/// What a form says about whether events are left out; `None` if it does not say.
pub fn left_out(name: &str) -> Option<bool> {
    let mut choices = LEAVING_OUT.iter();
    choices
        .find(|(_, known, _)| *known == name)
        .map(|(left_out, ..)| *left_out)
}

/// The name of a mode in forms and files.
pub fn mode_name(mode: Mode) -> &'static str {
    super::layout::mode(mode)
}

/// What the settings page knows.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The shell; its title and its way back are ours.
    pub shell: Shell,
    /// Light, dark or as the system, as the form shows it: the shell has what is stored.
    pub mode: Mode,
    /// The colour scheme, as the form shows it.
    pub scheme: Scheme,
    /// How often numbers are refreshed.
    pub refresh: Cadence,
    /// First day of the week.
    pub week_starts_on: WeekStart,
    /// What today is compared with.
    pub compare: Compare,
    /// How readily a number leaves its usual range.
    pub sensitivity: Sensitivity,
    /// What the person wants to be told of, as the form shows it.
    pub alerts: Alerts,
    /// Whether internal and test users are left out, and bots.
    pub left_out: LeftOut,
    /// Where the preferences file is.
    pub path: String,
    /// Why the preferences file cannot be used, with its line: nothing is saved until it is fixed.
    pub broken: Option<String>,
    /// The projects and their order.
    pub projects: ProjectList,
    /// Who is signed in, and how: `ada@example.com`, `EU Cloud · signed in with the browser`.
    pub accounts: Vec<(String, String)>,
}

/// The settings page.
pub fn render(view: &Settings) -> Markup {
    let mut shell = view.shell.clone();
    "Settings".clone_into(&mut shell.title);
    shell.back = Some("/".to_owned());
    if let Some(broken) = &view.broken {
        shell.notices.insert(
            0,
            Notice {
                tone: Tone::Bad,
                text: format!("{broken} Nothing is saved until then."),
                action: None,
            },
        );
    }
    shell.page(
        "narrow",
        &html! {
            h1 { "Settings" }
            form method="post" action="/settings" data-at-once="" {
                fieldset.plain disabled[view.broken.is_some()] {
                    (appearance(view))
                    (data(view))
                    (alerts(view))
                    div.actions { button.button.primary type="submit" { "Save" } }
                }
            }
            (order::render(&view.projects))
            (account(view))
            (file(view))
        },
    )
}

/// The form for what a person can choose about one project. `back` is the page to return to.
pub(super) fn preference_form(
    key: &ProjectKey,
    original_name: &str,
    preferences: &ProjectPreferences,
    back: &str,
) -> Markup {
    html! {
        form.preference-form method="post" action={ (project_path(key)) "/preferences" } data-at-once=".title, .sidebar" {
            input type="hidden" name="back" value=(back);
            label.field { span { "Name on this device" }
                input type="text" name="name" value=(preferences.name.as_deref().unwrap_or_default()) placeholder=(original_name) maxlength="200" autocomplete="off" dir="auto";
            }
            label.field { span { "Colours" }
                select name="scheme" {
                    option value="" selected[preferences.scheme.is_none()] { "As the app" }
                    @for scheme in SCHEMES {
                        option value=(colours::name(scheme)) selected[preferences.scheme == Some(scheme)] { (colours::title(scheme)) }
                    }
                }
            }
            label.field { span { "Internal and test users" } (leaving_out("test_accounts", preferences.without_test_accounts)) }
            label.field { span { "Bots" } (leaving_out("bots", preferences.without_bots)) }
            label.check { input type="checkbox" name="favourite" value="1" checked[preferences.favourite]; span { "Favourite, shown first" } }
            label.check { input type="checkbox" name="hidden" value="1" checked[preferences.hidden]; span { "Hidden, not counted in the total" } }
            label.check { input type="checkbox" name="muted" value="1" checked[preferences.muted]; span { "No alerts about it" } }
            label.field { span { "Tell me today at" }
                textarea name="goals" rows="2" maxlength="2000" placeholder="1000 visitors" dir="auto" {
                    @for goal in &preferences.goals { (goal) "\n" }
                }
            }
            button.button.small type="submit" { "Save" }
        }
    }
}

fn leaving_out(name: &str, chosen: Option<bool>) -> Markup {
    html! {
        select name=(name) {
            option value="" selected[chosen.is_none()] { "As for all projects" }
            @for (left_out, value, title) in LEAVING_OUT {
                option value=(value) selected[chosen == Some(left_out)] { (title) }
            }
        }
    }
}

fn appearance(view: &Settings) -> Markup {
    html! {
        h2.group { "Appearance" }
        div.card.rows {
            fieldset.row {
                legend { "Mode" }
                div.segments {
                    @for choice in [Mode::Auto, Mode::Light, Mode::Dark] {
                        label {
                            input.hidden-label type="radio" name="mode" value=(mode_name(choice)) checked[choice == view.mode];
                            span { (match choice { Mode::Auto => "Auto", Mode::Light => "Light", Mode::Dark => "Dark" }) }
                        }
                    }
                }
            }
            fieldset.schemes {
                legend.hidden-label { "Colour scheme" }
                @for scheme in SCHEMES {
                    label data-scheme=(colours::name(scheme)) {
                        input.hidden-label type="radio" name="scheme" value=(colours::name(scheme)) checked[scheme == view.scheme];
                        svg.sample viewBox="0 0 102 62" aria-hidden="true" {
                            rect.sample-page width="102" height="62" rx="11" {}
                            rect.sample-ink x="10" y="11" width="22" height="6" rx="3" {}
                            rect.sample-muted x="10" y="21" width="34" height="6" rx="3" {}
                            path.line d="M1 50C14 46 18 41 30 41C42 41 48 46 58 43C72 39 76 34 88 34C94 34 97 34 101 33" {}
                        }
                        span { (colours::title(scheme)) }
                    }
                }
            }
        }
    }
}

fn data(view: &Settings) -> Markup {
    html! {
        h2.group { "Data" }
        div.card.rows {
            label.row {
                span { "Refresh every" small.muted { "While the window is visible" } }
                select name="refresh" {
                    @for (cadence, value, title) in CADENCES { option value=(value) selected[cadence == view.refresh] { (title) } }
                }
            }
            label.row {
                span { "Week starts on" }
                select name="week_starts_on" {
                    option value="monday" selected[view.week_starts_on == WeekStart::Monday] { "Monday" }
                    option value="sunday" selected[view.week_starts_on == WeekStart::Sunday] { "Sunday" }
                }
            }
            label.row {
                span { "Compare today with" small.muted { "The usual range of this weekday is the fairest" } }
                select name="compare" {
                    @for (compare, value, title) in COMPARES { option value=(value) selected[compare == view.compare] { (title) } }
                }
            }
            label.row {
                span { "A project counts as moved" small.muted { "If a number leaves its usual range" } }
                select name="sensitivity" {
                    @for (sensitivity, value, title) in SENSITIVITIES { option value=(value) selected[sensitivity == view.sensitivity] { (title) } }
                }
            }
            label.row {
                span { "Internal and test users" small.muted { "By each project’s own filter in PostHog" } }
                select name="test_accounts" {
                    @for (left_out, value, title) in LEAVING_OUT { option value=(value) selected[left_out == view.left_out.test_accounts] { (title) } }
                }
            }
            label.row {
                span { "Bots" small.muted { "If your PostHog can tell them" } }
                select name="bots" {
                    @for (left_out, value, title) in LEAVING_OUT { option value=(value) selected[left_out == view.left_out.bots] { (title) } }
                }
            }
        }
    }
}

fn alerts(view: &Settings) -> Markup {
    let alerts = &view.alerts;
    let quiet = alerts
        .quiet_hours
        .map_or_else(String::new, |hours| hours.to_string());
    html! {
        h2.group #alert-settings { "Alerts" }
        div.card.rows {
            input type="hidden" name="alerts" value="shown";
            label.row {
                span.grow { "Tell me what is out of the ordinary" small.muted { "Numbers are then read while no page is open, too" } }
                input type="checkbox" name="alerts_on" value="1" checked[alerts.on];
            }
            label.row {
                span.grow { "Desktop notifications" small.muted { "On Linux; a click opens the project" } }
                input type="checkbox" name="alerts_desktop" value="1" checked[alerts.desktop];
            }
            label.row {
                span.grow { "Errors" small.muted { "When more people than usual meet an exception" } }
                input type="checkbox" name="alerts_errors" value="1" checked[alerts.errors];
            }
            label.row {
                span.grow { "Quiet hours" small.muted { "By the clock of this device; empty for none" } }
                input.short type="text" name="alerts_quiet_hours" value=(quiet) placeholder="22:00-07:00" maxlength="20" autocomplete="off";
            }
            div.row {
                span.grow { "Command" small.muted { "Gets each alert as JSON. It is set in a terminal only" } }
                @match alerts.command.first() {
                    Some(program) => code { (program) },
                    None => code { "pockethog config set alerts.command" },
                }
            }
        }
    }
}

fn account(view: &Settings) -> Markup {
    html! {
        h2.group { "Account" }
        div.card.rows {
            @for (who, how) in &view.accounts {
                div.row {
                    span.grow { bdi { (who) } small.muted { (how) } }
                    a.button href="/connections" { "Manage" }
                }
            }
            div.row {
                span.grow { "Another account or host" small.muted { "US Cloud, EU Cloud or your own PostHog" } }
                a.button href="/connections" { "Add" }
            }
            div.row {
                span { "Status-bar widget" small.muted { "Text, JSON, SVG or PNG" } }
                code { "pockethog widget --help" }
            }
        }
    }
}

fn file(view: &Settings) -> Markup {
    html! {
        h2.group { "Preferences file" }
        div.card.rows {
            div.row {
                span.grow { "Export" small.muted.path { (view.path) } }
                a.button href="/settings/export" download="pockethog-preferences.toml" { "Export" }
            }
            form.row method="post" action="/settings/import" enctype="multipart/form-data" {
                label.grow { span { "Import" small.muted { "Replaces names, order, favourites and colours" } }
                    input type="file" name="file" accept=".toml,application/toml,text/plain" required;
                }
                button.button type="submit" { "Import" }
            }
        }
    }
}
