//! The state of the numbers that are shown.

use jiff::Timestamp;

/// The state of the numbers that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// They are as fresh as they can be.
    #[default]
    Live,
    /// They are being fetched.
    Loading {
        /// Projects read so far.
        done: usize,
        /// Projects to read.
        total: usize,
    },
    /// They are from an earlier time: the oldest of them were measured then.
    Updated(Timestamp),
    /// PostHog cannot be reached. When the oldest numbers were measured, if there are any.
    Offline(Option<Timestamp>),
    /// PostHog asked us to slow down. When the oldest numbers were measured, if there are any.
    Busy(Option<Timestamp>),
    /// None of them could be read, and each says why.
    Unread,
}
