//! The logo and the icons, drawn inline so that they take the colours around them.

use maud::{Markup, html};

/// The hedgehog.
pub fn logo() -> Markup {
    html! {
        svg.logo viewBox="0 0 32 32" aria-hidden="true" {
            rect.logo-ground width="32" height="32" rx="9" {}
            path.logo-hog d="M5.2 21.6 4.6 17l2.6 1-.9-4.5 2.9 1.8.4-4.4 2.6 2.6 1.6-4.1 1.9 3.3 2.6-3.3.9 3.8 3.2-2.3-.1 3.9c3.3.8 5.3 3.3 5.9 5.7.2.9-.2 1.5-1.1 1.5H25c-.3 1-1.2 1.7-2.3 1.7H8.6c-1.9 0-3.1-1-3.4-2.1Z" {}
            circle.logo-ground cx="22.6" cy="18.2" r="1.15" {}
        }
    }
}

/// A sign of strokes on a 24 by 24 grid.
fn strokes(d: &str) -> Markup {
    html! { svg.icon viewBox="0 0 24 24" aria-hidden="true" { path d=(d) {} } }
}

/// More than before.
pub fn up() -> Markup {
    strokes("M12 20V5M6 11l6-6 6 6")
}

/// Less than before.
pub fn down() -> Markup {
    strokes("M12 4v15M6 13l6 6 6-6")
}

/// Back to where one came from.
pub fn back() -> Markup {
    strokes("M15 5l-7 7 7 7")
}

/// Onwards.
pub fn forward() -> Markup {
    strokes("M9 5l7 7-7 7")
}

/// Settings.
pub fn settings() -> Markup {
    strokes("M3 7h11M18 7h3M3 17h3M10 17h11M16 4v6M8 14v6")
}

/// Search.
pub fn search() -> Markup {
    strokes("M11 4a7 7 0 1 0 0 14a7 7 0 1 0 0-14M16 16l4.5 4.5")
}

/// Something new.
pub fn plus() -> Markup {
    strokes("M12 5v14M5 12h14")
}

/// Given.
pub fn check() -> Markup {
    strokes("M5 12.5l4.5 4.5L19 7.5")
}

/// Not given.
pub fn minus() -> Markup {
    strokes("M6 12h12")
}

/// More to do.
pub fn more() -> Markup {
    strokes("M12 5h.01M12 12h.01M12 19h.01")
}

/// An API key.
pub fn key() -> Markup {
    strokes("M8 11.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M11.2 12.8L20 4M16 8l3 3")
}

/// Something wants attention.
pub fn warning() -> Markup {
    strokes("M12 4L2.8 20h18.4zM12 10v4.5M12 17.2v.3")
}

/// A favourite: filled by the style sheet.
pub fn star() -> Markup {
    html! {
        svg.icon.star viewBox="0 0 24 24" aria-hidden="true" {
            path d="M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.7l5.9-.8z" {}
        }
    }
}
