//! The command line's contract, on the shipped program.

mod harness;

use std::time::Duration;

use harness::{Daemon, iot_box};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn wrong_usage_is_64_and_help_is_0() {
    let dir = tempfile::tempdir().unwrap();
    for wrong in [&["run", "--listen", "nowhere"][..], &["fly"], &[], &["run", "--erp", "http://erp.example"]] {
        assert_eq!(iot_box(dir.path(), wrong).status.code(), Some(64), "{wrong:?}");
    }
    let help = iot_box(dir.path(), &["run", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    for option in ["--data", "--listen", "--sim", "--erp", "--log-format"] {
        assert!(text(&help.stdout).contains(option), "{option}");
    }
}

#[test]
fn in_a_folder_that_others_may_read_the_boxs_files_are_private_all_the_same() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let _daemon = Daemon::start(dir.path(), &[]);
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let mode = metadata.permissions().mode();
        assert!(metadata.is_dir() || mode & 0o077 == 0, "{} has mode {mode:o}", entry.path().display());
    }
}

#[test]
fn after_a_clean_stop_the_outbox_is_one_file_with_nothing_to_recover() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    assert!(dir.path().join("outbox.db-wal").exists());
    assert!(daemon.terminate().success());
    assert!(dir.path().join("outbox.db").exists() && !dir.path().join("outbox.db-wal").exists());
}

/// Somebody who opens connections and keeps them would in the end keep every till out.
#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_ended() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let mut slow = daemon.connect().await;
    slow.write_all(b"GET /v1/hello HTTP/1.1\r\nhost: ").await.unwrap();
    let ended = async {
        // Drops of a head do not keep it open either.
        while slow.write_all(b"x").await.is_ok() {
            let mut byte = [0];
            if let Ok(read) = tokio::time::timeout(Duration::from_secs(2), slow.read(&mut byte)).await {
                return read.is_ok_and(|n| n > 0);
            }
        }
        false
    };
    let answered = tokio::time::timeout(Duration::from_secs(40), ended).await.expect("it is still open");
    assert!(!answered, "there was no request to answer");
}

#[test]
fn without_a_daemon_the_commands_say_how_to_start_one() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["devices", "unpair"] {
        let output = iot_box(dir.path(), &[command]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("start it with iot-box run"), "{}", text(&output.stderr));
    }
    let password = iot_box(dir.path(), &["password"]);
    assert_eq!(password.status.code(), Some(1));
    assert!(text(&password.stderr).contains("start the box once"), "{}", text(&password.stderr));
}

#[test]
fn a_running_box_answers_devices_check_and_password() {
    let dir = tempfile::tempdir().unwrap();
    // Not there yet: the daemon makes it, for its user alone.
    let dir = dir.path().join("var/box");
    let daemon = Daemon::start(&dir, &[]);

    let devices = iot_box(&dir, &["devices", "--json"]);
    assert_eq!(devices.status.code(), Some(0), "{}", text(&devices.stderr));
    let devices: serde_json::Value = serde_json::from_slice(&devices.stdout).unwrap();
    assert!(devices["devices"].is_array());

    let check: serde_json::Value = serde_json::from_slice(&iot_box(&dir, &["check", "--json"]).stdout).unwrap();
    let row = |name: &str| check["checks"].as_array().unwrap().iter().find(|r| r["check"] == name).unwrap().clone();
    assert_eq!(row("daemon")["level"], "ok");
    assert_eq!(row("data_dir")["level"], "ok");
    assert_eq!(row("erp")["level"], "warning");

    let unpair = iot_box(&dir, &["unpair"]);
    assert_eq!((unpair.status.code(), text(&unpair.stderr).trim()), (Some(1), "the box is not paired"));

    let password = text(&iot_box(&dir, &["password"]).stdout);
    assert!(!daemon.log.lock().unwrap().contains(password.trim()), "the password is in the log");
}

#[test]
fn two_daemons_on_one_directory_is_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let second = iot_box(dir.path(), &["run", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("another iot-box already runs on"), "{}", text(&second.stderr));
    assert!(daemon.terminate().success());
}

#[test]
fn a_box_that_was_killed_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    Daemon::start(dir.path(), &[]).kill();
    assert!(dir.path().join("control.sock").exists(), "a killed daemon leaves its socket");
    let daemon = Daemon::start(dir.path(), &[]);
    assert!(iot_box(dir.path(), &["devices"]).status.success());
    assert!(daemon.terminate().success());
    assert!(!dir.path().join("control.sock").exists());
}
