//! What a user can change about a project on its card: favourite, name, hidden.

use maud::{Markup, html};

use super::{icons, project_path};
use pockethog_core::project::ProjectKey;

/// The small menu of a card: forms behind a summary, so that it works by finger, by keyboard and without
/// scripts. `back` is the page to return to.
pub(crate) fn render(key: &ProjectKey, name: &str, is_favourite: bool, back: &str) -> Markup {
    let path = format!("{}/card", project_path(key));
    html! {
        // One name for all, so that opening one closes the others.
        details.menu name="card-menu" {
            summary title="Favourite, rename, hide" { (icons::more()) span.hidden-label { "Change " bdi { (name) } } }
            div.menu-items {
                form method="post" action=(path) {
                    input type="hidden" name="back" value=(back);
                    button type="submit" name="change" value=(if is_favourite { "unfavour" } else { "favour" }) {
                        (icons::star()) (if is_favourite { "No longer a favourite" } else { "Favourite, shown first" })
                    }
                    button type="submit" name="change" value="hide" { (icons::minus()) "Hide" }
                }
                form.rename method="post" action=(path) {
                    input type="hidden" name="back" value=(back);
                    input type="hidden" name="change" value="rename";
                    input type="text" name="name" value=(name) aria-label={ "Name of " (name) " on this device" } maxlength="200" autocomplete="off" dir="auto";
                    button.button.small type="submit" { "Rename" }
                }
            }
        }
    }
}

/// Says that a project was hidden, with a way to undo it.
pub(crate) fn hidden_notice(key: &ProjectKey, name: &str, back: &str) -> Markup {
    html! {
        div.notice.good role="status" data-once="hid" {
            p { bdi { (name) } " is hidden and no longer part of the total." }
            form method="post" action={ (project_path(key)) "/card" } {
                input type="hidden" name="back" value=(back);
                button.button.small type="submit" name="change" value="show" { "Undo" }
            }
        }
    }
}
