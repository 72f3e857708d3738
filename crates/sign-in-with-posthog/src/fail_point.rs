//! Named points at which a test kills the process, or holds it up.
//!
//! Without the feature `fail-points` the call is empty. With it, the process is killed at the point that
//! `SIGN_IN_FAIL_AT` names. The first time that it reaches the point that `SIGN_IN_PAUSE_AT` names, it makes the
//! file `SIGN_IN_PAUSE_FILE` and waits until that is removed.

/// Marks a point in the refresh step.
#[cfg(not(feature = "fail-points"))]
pub(crate) fn reached(_point: &str) {}

/// Marks a point in the refresh step.
#[cfg(feature = "fail-points")]
pub(crate) fn reached(point: &str) {
    static PAUSED: std::sync::Once = std::sync::Once::new();

    let is_at = |variable| std::env::var(variable).is_ok_and(|wanted| wanted == point);
    if is_at("SIGN_IN_FAIL_AT") {
        // SIGKILL if there is one: no destructor runs, no buffer is flushed.
        let killed = std::process::Command::new("kill")
            .args(["-9", &std::process::id().to_string()])
            .status();
        drop(killed);
        std::process::abort();
    }
    if !is_at("SIGN_IN_PAUSE_AT") {
        return;
    }
    PAUSED.call_once(|| {
        let Some(file) = std::env::var_os("SIGN_IN_PAUSE_FILE") else {
            return;
        };
        let file = std::path::PathBuf::from(file);
        if std::fs::write(&file, "").is_ok() {
            while file.exists() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    });
}
