//! What PocketHog needs of the device it runs on: folders and files that other users can neither read nor plant files in,
//! the proxies of the environment or of the system, and the one HTTP client.
//!
//! Nothing here knows what PocketHog shows. Whatever opens a file or makes a request goes through here.

#![warn(unreachable_pub)]

pub mod folders;
pub mod http;
pub mod private_files;
pub mod proxy;
