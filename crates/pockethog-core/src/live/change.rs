//! What changes while the app runs.

use sign_in_with_posthog::ConnectionId;

use crate::project::ProjectKey;
use crate::snapshot::View;

/// Something that is shown has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list of projects, or what could not be read of it.
    Projects,
    /// A view of a project: fresh numbers, or a reason why not.
    View(ProjectKey, View),
    /// The annotations of a project were changed here.
    Annotations(ProjectKey),
    /// How many projects have been read.
    Progress {
        /// Read so far.
        done: usize,
        /// To be read in all.
        total: usize,
    },
    /// Whether PostHog answers: ask [`super::Live::status`].
    Status,
    /// The person has been told something, by this process or another one, or has seen it.
    Alerts,
    /// A session has ended.
    SignedOut(ConnectionId),
}
