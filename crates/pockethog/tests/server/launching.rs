//! Starting, finding and ending the app.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use pockethog::server::{Launch, LaunchError, launch};

use crate::desk::{Desk, open};

const NOWHERE: &str = "http://127.0.0.1:9";

#[tokio::test]
async fn a_second_one_opens_the_one_that_runs() {
    let desk = Desk::new().await;
    let second = open(desk.home.path(), NOWHERE, NOWHERE);
    let found = launch(Arc::new(second), 0).await.unwrap();
    let Launch::Running(address) = found else {
        panic!("two of them run");
    };
    assert_eq!(address, desk.app.open_address);
}

#[tokio::test]
async fn the_note_is_private_and_goes_with_the_app() {
    let desk = Desk::new().await;
    let note = desk.app.state.program().folders.running();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&note).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // An open stream does not keep it from ending.
    let _stream = desk.app.stream("/events/home").await;
    desk.app.end().await;
    assert!(!note.exists());
}

#[tokio::test]
async fn what_a_killed_one_left_behind_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let program = open(home.path(), NOWHERE, NOWHERE);
    let note = program.folders.running();
    std::fs::write(
        &note,
        r#"{"address":"http://127.0.0.1:9/","secret":"old","process":1}"#,
    )
    .unwrap();
    let Launch::New(app) = launch(Arc::new(program), 0).await.unwrap() else {
        panic!("a dead one was found");
    };
    let text = std::fs::read_to_string(&note).unwrap();
    assert!(text.contains(app.state().address().as_str()), "{text}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let home = tempfile::tempdir().unwrap();
    let program = open(home.path(), NOWHERE, NOWHERE);
    let error = launch(Arc::new(program), port).await.unwrap_err();
    assert!(matches!(error, LaunchError::PortInUse(_)));
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn one_that_starts_and_says_nothing_is_not_waited_for_for_ever() {
    let home = tempfile::tempdir().unwrap();
    let program = open(home.path(), NOWHERE, NOWHERE);
    let lock = std::fs::File::create(program.folders.running().with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let error = launch(Arc::new(program), 0).await.unwrap_err();
    assert!(matches!(error, LaunchError::Hangs(_)), "{error}");
}
