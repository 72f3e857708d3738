//! What a widget prints, in one module per format.

mod image;
mod json;
#[cfg(test)]
mod samples;
mod text;
mod tmux;
mod waybar;
mod words;
mod xbar;

pub use image::{image, png, svg};
pub use json::json;
pub use text::text;
pub use tmux::tmux;
pub use waybar::waybar;
pub use words::shell_quoted;
pub use xbar::{MenuHost, xbar};
