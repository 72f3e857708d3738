//! Programs of the system (`systemctl`, `launchctl`, `reg`), run with a time limit.
//!
//! One that waits for a service that does not answer is stopped: `systemctl --user` alone waits a minute and a half for a
//! bus that accepts connections and says nothing.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program that only says something may take.
pub const TO_ANSWER: Duration = Duration::from_secs(3);

/// How long a program that starts or stops something may take.
pub const TO_ACT: Duration = Duration::from_secs(20);

/// The first pause between two looks at whether it has ended. Each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

/// How long the rest of what it has printed is waited for: a process that it has left behind may hold its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs a program without input, and returns what it printed.
///
/// # Errors
///
/// It cannot be started, or has not ended after `limit`: then it is stopped, and the error is
/// [`ErrorKind::TimedOut`].
pub fn output<Word: AsRef<OsStr>>(words: &[Word], limit: Duration) -> io::Result<Output> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = printed(child.stdout.take());
    let stderr = printed(child.stderr.take());
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= deadline {
            stop(&mut child);
            let reason = format!("did not end within {} s", limit.as_secs());
            return Err(io::Error::new(ErrorKind::TimedOut, reason));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    Ok(Output {
        status,
        stdout: stdout.recv_timeout(LAST_WORDS).unwrap_or_default(),
        stderr: stderr.recv_timeout(LAST_WORDS).unwrap_or_default(),
    })
}

/// Reads on a thread of its own, so that the program never waits for its reader.
fn printed(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(mut pipe) = pipe {
        thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).ok();
            // Nobody may be interested any more.
            sender.send(text).ok();
        });
    }
    receiver
}

fn stop(child: &mut Child) {
    child.kill().ok();
    child.wait().ok();
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_stopped() {
        let begun = Instant::now();
        let limit = Duration::from_millis(50);
        let error = output(&["sleep", "600"], limit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn all_that_a_program_prints_is_read() {
        let script = "yes | head -c 300000; yes no | head -c 300000 >&2; exit 3";
        let output = output(&["sh", "-c", script], TO_ACT).unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(output.stdout.len(), 300_000);
        assert_eq!(output.stderr.len(), 300_000);
    }
}
