//! Named points at which a test kills the process.
//!
//! Without the feature `fail-points` the call is empty. With it, the process ends at once where
//! `SIGN_IN_FAIL_AT` names the point, as if it had been killed.

/// Marks a point in the refresh step.
#[cfg(not(feature = "fail-points"))]
pub(crate) fn reached(_point: &str) {}

/// Marks a point in the refresh step.
#[cfg(feature = "fail-points")]
pub(crate) fn reached(point: &str) {
    if std::env::var("SIGN_IN_FAIL_AT").is_ok_and(|wanted| wanted == point) {
        // No destructor runs, no buffer is flushed: what SIGKILL would leave.
        std::process::abort();
    }
}
