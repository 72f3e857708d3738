//! Preferences, the Vault and the doctor: what is on this device.

#![allow(clippy::unwrap_used)]

use crate::harness::Harness;
use crate::shape::shape;

#[tokio::test(flavor = "multi_thread")]
async fn a_preference_is_set_and_comments_stay() {
    let harness = Harness::new().await;
    let path = harness.run(&["config", "path"]).await.ended(0);
    let path = path.out.trim().to_owned();
    harness
        .run(&["config", "set", "mode", "dark"])
        .await
        .ended(0);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("# mine\n{text}")).unwrap();
    harness
        .run(&["config", "set", "name", "My shop", "--project", "us/12"])
        .await
        .ended(0);
    assert!(std::fs::read_to_string(&path).unwrap().contains("# mine"));
    let run = harness.run(&["config", "get", "mode"]).await.ended(0);
    assert_eq!(run.out, "dark\n");
    let arguments = ["config", "get", "name", "--project", "us/12", "--json"];
    let run = harness.run(&arguments).await.ended(0);
    assert_eq!(run.json()["value"], "My shop");
    harness.run(&["config", "unset", "mode"]).await.ended(0);
    let run = harness
        .run(&["config", "get", "mode", "--json"])
        .await
        .ended(0);
    assert_eq!(run.json()["value"], "auto");
    harness
        .run(&["config", "set", "mode", "purple"])
        .await
        .ended(2);
    harness
        .run(&["config", "set", "colour", "red"])
        .await
        .ended(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_named_with_its_line_and_stays() {
    let harness = Harness::new().await;
    let path = harness.file("home/preferences.toml");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let broken = "mode = \"dark\"\nscheme = rainbow\n";
    std::fs::write(&path, broken).unwrap();
    let run = harness
        .run(&["config", "set", "mode", "light"])
        .await
        .ended(1);
    assert!(run.err.contains("line 2"), "{run:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), broken);
    harness.run(&["doctor"]).await.ended(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_put_in_place_once_it_makes_sense() {
    let harness = Harness::new().await;
    let path = harness.file("home/preferences.toml");
    let edit = async |line: &str| {
        let mut command = harness.command(&["config", "edit"]);
        let script = harness.file("editor");
        std::fs::write(&script, format!("#!/bin/sh\necho '{line}' > \"$1\"\n")).unwrap();
        let mut mode = std::fs::metadata(&script).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
        std::fs::set_permissions(&script, mode).unwrap();
        command.env("EDITOR", script).output().await.unwrap()
    };
    let output = edit("mode = \"light\"").await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "mode = \"light\"\n"
    );
    let output = edit("mode = \"purple\"").await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "mode = \"light\"\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_everything() {
    let harness = Harness::signed_in().await;
    let run = harness.run(&["doctor", "--json"]).await.ended(0);
    insta::assert_snapshot!("doctor", shape(&run.json()));
    let report = run.json();
    let findings = report["findings"].as_array().unwrap();
    let names: Vec<&str> = findings
        .iter()
        .map(|finding| finding["what"].as_str().unwrap())
        .collect();
    for what in [
        "Version",
        "Sign-in folder",
        "Snapshots",
        "Vault",
        "Locks",
        "US Cloud",
        "Clock",
    ] {
        assert!(names.contains(&what), "{what} is not in {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_cannot_move_to_a_keychain_that_is_not_there() {
    let harness = Harness::signed_in().await;
    let run = harness.run(&["vault", "--json"]).await.ended(0);
    assert_eq!(run.json()["vault"], "encrypted_file");
    harness.run(&["vault", "move", "keychain"]).await.ended(1);
    let run = harness.run(&["vault", "move", "file"]).await.ended(0);
    assert!(run.out.contains("an encrypted file"));
    harness.run(&["projects"]).await.ended(0);
}
