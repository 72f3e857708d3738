//! A real browser for tests: headless Chromium, driven through chromedriver.
//!
//! Each [`Browser`] has a profile of its own and can resolve no name and use no proxy, so that whatever
//! a page asks for elsewhere fails; [`Browser::finish`] then names it.

pub mod accessibility;
pub mod driver;
pub mod layout;
pub mod page;
pub mod screens;

pub use page::{Browser, Look};
