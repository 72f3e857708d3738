//! Pages with a single message: not found, refused, failed.

use maud::{Markup, html};

use super::icons;
use super::layout::Shell;

/// What happened, what it means, what to do.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The shell; its title is ours.
    pub shell: Shell,
    /// What happened.
    pub title: String,
    /// What it means.
    pub text: String,
    /// What to do: labels and pages, the best first.
    pub actions: Vec<(String, String)>,
}

/// A page with one message.
pub fn render(view: &Message) -> Markup {
    let mut shell = view.shell.clone();
    view.title.clone_into(&mut shell.title);
    shell.page(
        "message-page",
        &html! {
            div.empty-box.tall {
                (icons::logo())
                h1 { (view.title) }
                p { (view.text) }
                div.actions {
                    @for (place, (label, path)) in view.actions.iter().enumerate() {
                        a.button.primary[place == 0] href=(path) { (label) }
                    }
                }
            }
        },
    )
}

/// There is no such page.
pub fn not_found(shell: Shell) -> Message {
    Message {
        shell,
        title: "There is nothing here".to_owned(),
        text: "There is no page at this address. The link may be incomplete.".to_owned(),
        actions: vec![("All projects".to_owned(), "/".to_owned())],
    }
}

/// No Connection reaches this project.
pub fn unknown_project(shell: Shell) -> Message {
    Message {
        shell,
        title: "No such project".to_owned(),
        text: "None of your accounts can read this project. It may have been deleted, or you did not grant access to it.".to_owned(),
        actions: vec![
            ("All projects".to_owned(), "/".to_owned()),
            ("Change access".to_owned(), "/connections".to_owned()),
        ],
    }
}
