//! Runs the command of the person's own: without a shell, and with nothing of an alert among its arguments.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, Command};

/// What a command says on its standard error is read so far, in bytes.
const MOST_SAID: u64 = 4096;

/// Letters of it that are noted.
const NOTED: usize = 160;

/// What a program that the command has left behind may still say.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Starts `command`, gives it `document` on standard input, and waits for its end for at most `limit`. What it prints is
/// thrown away: the output of this program is for its own reader.
///
/// # Errors
///
/// A sentence: it could not be started, failed, or took too long and was stopped.
pub(super) async fn run(
    command: &[String],
    document: &[u8],
    limit: Duration,
) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    let mut starting = Command::new(program);
    starting
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // A group of its own, which can be stopped as a whole.
    #[cfg(unix)]
    starting.process_group(0);
    let mut child = starting
        .spawn()
        .map_err(|error| format!("“{program}” could not be started: {error}"))?;
    let giving = give(&mut child, document.to_vec());
    let hearing = child.stderr.take().map(|said| tokio::spawn(hear(said)));
    let ended = tokio::time::timeout(limit, child.wait()).await;
    if let Some(giving) = giving {
        giving.abort();
    }
    let Ok(ended) = ended else {
        stop(&mut child).await;
        return Err(format!(
            "“{program}” did not end within {} s and was stopped",
            limit.as_secs()
        ));
    };
    let status = ended.map_err(|error| format!("“{program}”: {error}"))?;
    if status.success() {
        return Ok(());
    }
    let said = match hearing {
        Some(hearing) => tokio::time::timeout(LAST_WORDS, hearing).await,
        None => return Err(format!("“{program}” ended with {status}")),
    };
    let said = said.ok().and_then(Result::ok).unwrap_or_default();
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(match last {
        Some(line) => format!("“{program}” ended with {status}: {}", one_line(line)),
        None => format!("“{program}” ended with {status}"),
    })
}

/// The beginning of a line, without what controls a terminal.
fn one_line(line: &str) -> String {
    let letters = line.trim().chars().filter(|letter| !letter.is_control());
    letters.take(NOTED).collect()
}

/// The file of a program as it would be started: a path, or a name that is found in `PATH`.
pub fn find_program(program: &str) -> Option<PathBuf> {
    if program.is_empty() {
        return None;
    }
    if Path::new(program).components().count() > 1 {
        return Some(PathBuf::from(program)).filter(|path| can_be_run(path));
    }
    let folders = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&folders).map(|folder| folder.join(program));
    found.find(|path| can_be_run(path))
}

#[cfg(unix)]
fn can_be_run(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let found = path.metadata();
    found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn can_be_run(path: &Path) -> bool {
    path.is_file() || path.with_extension("exe").is_file()
}

/// A command that does not read what it is given is no failure.
fn give(child: &mut Child, document: Vec<u8>) -> Option<tokio::task::JoinHandle<()>> {
    let mut input = child.stdin.take()?;
    Some(tokio::spawn(async move {
        input.write_all(&document).await.ok();
        input.shutdown().await.ok();
    }))
}

/// The beginning of what it says; the rest is read too, so that it does not wait for its reader.
async fn hear(mut said: ChildStderr) -> String {
    let mut heard = Vec::new();
    let mut beginning = (&mut said).take(MOST_SAID);
    beginning.read_to_end(&mut heard).await.ok();
    let mut rest = [0; 4096];
    while said.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    String::from_utf8_lossy(&heard).into_owned()
}

/// Stops it, and what it has started.
async fn stop(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = child.id().and_then(|id| i32::try_from(id).ok())
        && let Some(group) = rustix::process::Pid::from_raw(group)
    {
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
    child.kill().await.ok();
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_command_gets_the_document_and_may_print_what_it_likes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("got");
        let script = format!(
            "cat > '{}'; yes | head -c 200000; yes | head -c 200000 >&2",
            file.display()
        );
        run(&shell(&script), b"{\"a\":1}\n", LIMIT).await.unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap(), "{\"a\":1}\n");
    }

    #[tokio::test]
    async fn a_command_that_does_not_read_is_no_failure() {
        let large = vec![b'x'; 1 << 20];
        run(&shell("exec <&-; exit 0"), &large, LIMIT)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_command_that_fails_is_named_with_its_last_words() {
        let script = "echo; echo 'no route \u{1b}[31mto host' >&2; exit 3";
        let failure = run(&shell(script), b"{}", LIMIT).await.unwrap_err();
        assert_eq!(
            failure,
            "“sh” ended with exit status: 3: no route [31mto host"
        );
    }

    #[tokio::test]
    async fn a_command_that_does_not_exist_is_named() {
        let command = ["/nowhere/ping".to_owned()];
        let failure = run(&command, b"{}", LIMIT).await.unwrap_err();
        assert!(
            failure.starts_with("“/nowhere/ping” could not be started: "),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_stopped_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("alive");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        // Its child holds the pipe open for as long as it lives.
        let script = format!("(exec sleep 1000) > '{}' & wait", fifo.display());
        let reading = tokio::task::spawn_blocking(move || std::fs::read(fifo).unwrap());
        let failure = run(&shell(&script), b"{}", Duration::from_secs(1)).await;
        assert_eq!(
            failure.unwrap_err(),
            "“sh” did not end within 1 s and was stopped"
        );
        assert_eq!(reading.await.unwrap(), b"");
    }
}
