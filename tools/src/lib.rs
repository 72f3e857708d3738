//! What the programs of this crate share, with each other and with the tests in a real browser.
//!
//! | program | for |
//! |---|---|
//! | `bench` | measures the program from outside and prints the tables of docs/performance.md; `cargo xtask bench` runs it |
//! | `gallery` | writes every page in every state as files: `cargo run -p tools --bin gallery FOLDER` |
//! | `query_texts` | prints every query text that PocketHog can send |

pub mod screens;
