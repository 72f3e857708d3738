//! What is stored, changed from outside: restored from a backup, pointed at another Host, or replaced by
//! something that is not a file.
#![allow(clippy::unwrap_used)]

mod posthog;

use std::path::Path;

use posthog::PostHog;
use sign_in_with_posthog::{
    Connection, ConnectionState, EndReason, SessionError, SignIn, VaultBackend,
};
use tempfile::TempDir;

struct World {
    posthog: PostHog,
    folder: TempDir,
    program: SignIn,
    connection: Connection,
}

impl World {
    async fn new(rotating: bool) -> Self {
        let posthog = PostHog::start(rotating);
        let folder = tempfile::tempdir().unwrap();
        let program = posthog.program(folder.path());
        let connection = posthog.sign_in(&program).await;
        posthog.forget_requests();
        Self {
            posthog,
            folder,
            program,
            connection,
        }
    }

    /// The access token runs out and is renewed.
    async fn renew(&self) {
        self.posthog.clock.forward(3601);
        let session = self.program.session_of(&self.connection);
        session.access_token().await.unwrap();
    }

    /// A copy of what is in `folder`, to be restored later.
    fn back_up(&self, folder: &str) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_all(&self.folder.path().join(folder), copy.path());
        copy
    }

    fn restore(&self, backup: &TempDir, folder: &str) {
        let place = self.folder.path().join(folder);
        std::fs::remove_dir_all(&place).unwrap();
        copy_all(backup.path(), &place);
    }

    /// A program that starts now, and the first of its Connections.
    fn restarted(&self) -> (SignIn, Connection) {
        let program = self.posthog.program(self.folder.path());
        let connection = program.connections().unwrap()[0].clone();
        (program, connection)
    }

    /// Changes the list of Connections as an editor would.
    fn edit_index(&self, edit: impl Fn(&mut serde_json::Value)) {
        let path = self.folder.path().join("program/connections.json");
        let mut index = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        edit(&mut index);
        std::fs::write(&path, index.to_string()).unwrap();
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_restored_backup_presents_no_spent_refresh_token() {
    let world = World::new(true).await;
    world.renew().await;
    let backup = world.back_up("program");
    world.renew().await;
    // Beyond the grace: PostHog would end the whole session.
    world.renew().await;
    world.restore(&backup, "program");
    world.posthog.clock.forward(3601);
    world.posthog.forget_requests();

    let (program, connection) = world.restarted();
    for _ in 0..2 {
        let error = program.session_of(&connection).access_token().await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, SessionError::SignedOut(EndReason::Outdated)),
            "{error:?}"
        );
        assert!(error.to_string().contains("Sign in again"), "{error}");
    }
    assert_eq!(
        world.posthog.count("/oauth/token/"),
        0,
        "PostHog is not asked"
    );
    let state = program.connections().unwrap()[0].state;
    assert_eq!(state, ConnectionState::Ended(EndReason::Outdated));

    // Signing in again goes past what was noted.
    world.posthog.sign_in(&program).await;
    world.posthog.clock.forward(3601);
    let (program, connection) = world.restarted();
    program
        .session_of(&connection)
        .access_token()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_restored_backup_serves_while_its_refresh_token_does() {
    let world = World::new(false).await;
    let backup = world.back_up("program");
    world.renew().await;
    world.renew().await;
    world.restore(&backup, "program");
    let (program, connection) = world.restarted();
    let session = program.session_of(&connection);
    let first = session.access_token().await.unwrap();
    world.posthog.clock.forward(3601);
    let second = session.access_token().await.unwrap();
    assert_ne!(first.expose(), second.expose());
}

#[tokio::test]
async fn a_restored_backup_brings_no_signed_out_session_back() {
    for rotating in [true, false] {
        let world = World::new(rotating).await;
        let backup = world.back_up("program");
        world.program.sign_out(&world.connection.id).await.unwrap();
        world.restore(&backup, "program");
        let (program, connection) = world.restarted();
        let error = program.session_of(&connection).access_token().await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, SessionError::SignedOut(EndReason::Outdated)),
            "{error:?}"
        );
    }
}

/// The documented exception: nothing on the device knows better.
#[tokio::test]
async fn a_restore_of_everything_at_once_goes_unnoticed() {
    let world = World::new(true).await;
    let (program, device) = (world.back_up("program"), world.back_up("device"));
    world.renew().await;
    world.restore(&program, "program");
    world.restore(&device, "device");
    let (program, connection) = world.restarted();
    world.posthog.forget_requests();
    // Inside the grace PostHog still answers the same pair.
    program
        .session_of(&connection)
        .access_token()
        .await
        .unwrap();
    assert_eq!(world.posthog.count("/oauth/token/"), 1);
}

#[tokio::test]
async fn a_program_that_ends_between_record_and_note_loses_nothing() {
    let world = World::new(true).await;
    let device = world.back_up("device");
    world.renew().await;
    world.restore(&device, "device");
    let (program, connection) = world.restarted();
    program
        .session_of(&connection)
        .access_token()
        .await
        .unwrap();
    // The note was put right by the read.
    let noted = world.back_up("device");
    let generations: Vec<String> = walk(noted.path());
    assert!(
        generations
            .iter()
            .any(|text| text.contains(r#""generation":2"#)),
        "{generations:?}"
    );
}

fn walk(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(walk(&path));
        } else {
            texts.push(String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
        }
    }
    texts
}

#[tokio::test]
async fn a_token_is_handed_out_for_no_other_host_than_the_sealed_one() {
    let world = World::new(true).await;
    let elsewhere = PostHog::start(true);
    let honest = world.program.session_of(&world.connection);
    let token = honest.access_token().await.unwrap();
    assert_eq!(token.issuer(), Some(world.posthog.base.as_str()));
    world.edit_index(|index| {
        index["connections"][0]["host"]["address"] = elsewhere.base.clone().into();
    });
    let (program, connection) = world.restarted();
    assert_eq!(connection.host.issuer(), elsewhere.base);
    // In the program that has the token in memory, and in one that starts now.
    for program in [&world.program, &program] {
        for seconds in [0, 3601] {
            world.posthog.clock.forward(seconds);
            let session = program.session_of(&connection);
            for asked in [
                session.access_token().await,
                session.access_token_after_refusal(&token).await,
            ] {
                let error = asked.unwrap_err();
                assert!(matches!(error, SessionError::OtherHost(_)), "{error:?}");
                assert!(error.to_string().contains(&elsewhere.base), "{error}");
            }
            assert!(!session.access_token().await.unwrap_err().is_transient());
        }
    }
    assert_eq!(world.posthog.count("/oauth/token/"), 0);
    assert!(elsewhere.state.lock().unwrap().requests.is_empty());
    // Whoever knows the right one is served nevertheless.
    honest.access_token().await.unwrap();
}

#[tokio::test]
async fn a_token_is_not_taken_for_a_key() {
    let world = World::new(true).await;
    world.edit_index(|index| index["connections"][0]["kind"] = "api_key".into());
    let (program, connection) = world.restarted();
    let error = program.session_of(&connection).access_token().await;
    assert!(
        matches!(error, Err(SessionError::OtherHost(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_key_is_handed_out_for_no_other_host_than_the_sealed_one() {
    let posthog = PostHog::start(true);
    let folder = tempfile::tempdir().unwrap();
    let program = posthog.program(folder.path());
    let key = "phx_good".to_owned().into();
    let mut connection = program.add_api_key(&posthog.host(), &key).await.unwrap();
    let token = program
        .session_of(&connection)
        .access_token()
        .await
        .unwrap();
    assert_eq!(token.issuer(), Some(posthog.base.as_str()));
    let elsewhere = PostHog::start(true);
    connection.host = elsewhere.host();
    for program in [&program, &posthog.program(folder.path())] {
        let error = program.session_of(&connection).access_token().await;
        assert!(
            matches!(error, Err(SessionError::OtherHost(_))),
            "{error:?}"
        );
    }
}

/// Nothing waits for a pipe, and nothing reads two hundred megabytes.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_a_file_of_ours_is_named_and_not_waited_for() {
    let world = World::new(true).await;
    let record = format!("program/vault/{}.sealed", world.connection.id);
    let lock = format!("program/locks/{}.lock", world.connection.id);
    let files = [
        "program/connections.json",
        "program/vault.json",
        "device/device.key",
        record.as_str(),
        lock.as_str(),
    ];
    for file in files {
        let path = world.folder.path().join(file);
        let aside = path.with_extension("aside");
        for what in ["pipe", "folder", "device", "large"] {
            if what == "large" && file == lock {
                continue;
            }
            std::fs::rename(&path, &aside).unwrap();
            match what {
                "pipe" => {
                    let made = std::process::Command::new("mkfifo").arg(&path).status();
                    assert!(made.unwrap().success());
                }
                "folder" => std::fs::create_dir(&path).unwrap(),
                "device" => std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
                _ => std::fs::File::create(&path)
                    .unwrap()
                    .set_len(200 << 20)
                    .unwrap(),
            }
            let error = used(&world).await.expect_err(&format!("{file} as {what}"));
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(error.contains(name), "{file} as {what}: {error}");
            let expected = if what == "large" {
                "larger than"
            } else {
                "in its place"
            };
            assert!(error.contains(expected), "{file} as {what}: {error}");
            if what == "folder" {
                std::fs::remove_dir(&path).unwrap();
            }
            std::fs::rename(&aside, &path).unwrap();
        }
    }
    used(&world).await.unwrap();
}

/// What a program does with everything that is stored.
async fn used(world: &World) -> Result<(), String> {
    let program = world.posthog.program(world.folder.path());
    program.connections().map_err(|error| error.to_string())?;
    let backend = program.vault().map_err(|error| error.to_string())?;
    assert_eq!(backend, Some(VaultBackend::EncryptedFile));
    let session = program.session_of(&world.connection);
    session
        .access_token()
        .await
        .map_err(|error| error.to_string())?;
    Ok(())
}
