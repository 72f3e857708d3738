//! Named points at which a test kills the process.
//!
//! Without the feature `fail-points` the call is empty. With it, the process is killed where
//! `SIGN_IN_FAIL_AT` names the point.

/// Marks a point in the refresh step.
#[cfg(not(feature = "fail-points"))]
pub(crate) fn reached(_point: &str) {}

/// Marks a point in the refresh step.
#[cfg(feature = "fail-points")]
pub(crate) fn reached(point: &str) {
    if std::env::var("SIGN_IN_FAIL_AT").is_ok_and(|wanted| wanted == point) {
        // SIGKILL where there is one: no destructor runs, no buffer is flushed.
        let killed = std::process::Command::new("kill")
            .args(["-9", &std::process::id().to_string()])
            .status();
        drop(killed);
        std::process::abort();
    }
}
