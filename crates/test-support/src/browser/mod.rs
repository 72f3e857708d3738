//! A real browser for tests: headless Chromium, driven through chromedriver.
//!
//! Each [`Browser`] has a profile of its own and can resolve no name and use no proxy, so that whatever
//! a page asks for elsewhere fails; [`Browser::finish`] then names it.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "each test program uses a part of this"
)]

pub mod accessibility;
pub mod driver;
pub mod layout;
pub mod page;
pub mod screens;

pub use page::{Browser, Look};
