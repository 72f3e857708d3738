//! What PocketHog needs of the device it runs on: folders and files that other users can neither read nor plant files in,
//! the proxies of the environment or of the system, the one HTTP client, the browser, a file of settings that a person edits
//! too, and what must not be in a text that is published.
//!
//! Nothing here knows what PocketHog shows. Whatever opens a file or makes a request goes through here.

#![warn(unreachable_pub)]

pub mod browser;
pub mod folders;
pub mod http;
pub mod private_files;
pub mod proxy;
pub mod quiet_hours;
pub mod redaction;
pub mod toml_text;
