//! Long lists show their first rows, say how many more there are, and show those on request, without a script.

use maud::{Markup, html};

/// Rows that are shown at once.
pub(super) const FIRST: usize = 10;

/// The class of a row: those after the first ones are shown on request.
pub(super) fn class(place: usize) -> Option<&'static str> {
    (place >= FIRST).then_some("later")
}

/// `and 14 more · show all`, if there are more than the first rows. It belongs into the element with the rows, and its
/// `id` is unique on the page.
pub(super) fn rest(id: &str, rows: usize) -> Markup {
    let Some(more) = rows.checked_sub(FIRST).filter(|&more| more > 0) else {
        return Markup::default();
    };
    html! {
        p.rest {
            input.hidden-label.all #(id) type="checkbox" autocomplete="off";
            label for=(id) {
                span.folded { "and " (more) " more · " b { "show all" } }
                span.unfolded { b { "Show the first " (FIRST) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_counted() {
        assert!(rest("a", 24).into_string().contains("and 14 more · "));
        assert_eq!(rest("a", 10).into_string(), "");
        let shown = (0..24).filter(|&place| class(place).is_none()).count();
        assert_eq!(shown, 10);
    }
}
