//! Work that blocks, tasks that fail, and locks within the process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinError;

/// Runs blocking work on a thread that may block.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    finished(tokio::task::spawn_blocking(work).await).await
}

/// The result of a task. If the task panicked, so does its caller; if the runtime is shutting down, the caller
/// waits until it is dropped too.
pub(crate) async fn finished<T>(task: Result<T, JoinError>) -> T {
    match task {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

/// Locks a mutex. What it guards here is valid after a panic too.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
