//! The numbers of PostHog projects: the query texts, what their rows mean, and which of them are out of the ordinary.
//!
//! Everything here is a pure function of rows and instants: nothing asks PostHog, opens a file or looks at the clock.
//! `pockethog-core` asks, keeps and refreshes. docs/metrics.md defines each number.
//!
//! | module | what it knows |
//! |---|---|
//! | [`overview`] | today, a range and its breakdowns, and sums over projects |
//! | [`causes`] | what made a project move |
//! | [`goal`] | a count of today that a person waits for |
//! | [`history`] | the closed days, and when to read which of them |
//! | [`moves`] | what is usual of a project today, and whether it has left that |
//! | [`digest`] | closed days as a digest shows them |
//! | [`age`] | how old a stored number is, by a clock that can be set |

#![warn(unreachable_pub)]

pub mod age;
pub mod causes;
pub mod digest;
pub mod goal;
pub mod history;
pub mod moves;
pub mod overview;
mod project_key;

pub use project_key::ProjectKey;
