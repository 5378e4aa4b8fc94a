//! The program as people type it.

#![allow(clippy::unwrap_used, reason = "tests; clippy knows only the functions marked as such")]

use std::{
    io::Write,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

fn erp(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_erp"));
    command.current_dir(data).env_remove("ERP_ADMIN_PASSWORD").env_remove("ERP_DATABASE_URL").stdin(Stdio::null());
    command
}

fn run(data: &Path, args: &[&str]) -> Output {
    erp(data).args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Killed when the test ends, however it ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Server {
    /// Waits for the log line that says it is ready.
    fn start(data: &Path) -> Self {
        use std::io::{BufRead, BufReader};
        let mut child = erp(data).args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let server = Self(child);
        assert!(log.any(|line| line.is_ok_and(|l| l.contains("Ready."))), "it never became ready");
        std::thread::spawn(move || log.for_each(drop));
        server
    }

    fn stop(&mut self) -> (Option<i32>, Duration) {
        let asked = Instant::now();
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        (self.0.wait().unwrap().code(), asked.elapsed())
    }
}

#[test]
fn in_a_folder_that_others_may_read_the_files_are_private_all_the_same() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(dir.path().join("password"), "correct horse battery staple\n").unwrap();
    let made = run(dir.path(), &["init", "--data", "shop", "--admin-password-file", "password"]);
    assert!(made.status.success(), "{}", said(&made));
    // The folder was made by us; the files must not rely on it.
    for entry in std::fs::read_dir(dir.path().join("shop")).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.path().display());
    }
}

#[test]
fn wrong_usage_ends_with_64_and_help_with_0() {
    let dir = tempfile::tempdir().unwrap();
    for wrong in [
        &["frobnicate"][..],
        &[],
        &["serve", "--listen", "nowhere"],
        &["serve", "--tls-cert", "x.pem"],
        &["init", "--name", "No Good"],
        &["init", "--apps", "base,frobnicate"],
    ] {
        let output = run(dir.path(), wrong);
        assert_eq!(output.status.code(), Some(64), "{wrong:?}: {}", said(&output));
    }
    for right in [&["--help"][..], &["serve", "--help"], &["--version"]] {
        assert_eq!(run(dir.path(), right).status.code(), Some(0), "{right:?}");
    }
}

#[test]
fn init_makes_a_database_once_and_shows_a_made_password_once() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["serve"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("run erp init"), "{}", said(&output));
    let output = run(dir.path(), &["init", "--demo"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = said(&output);
    let password = text.lines().find_map(|l| l.strip_prefix("Password: ")).unwrap().split(' ').next().unwrap();
    assert!(password.len() >= 16, "{text}");
    let file = std::fs::read(dir.path().join("var/erp/erp.db")).unwrap();
    assert!(!file.windows(password.len()).any(|w| w == password.as_bytes()), "only its hash is kept");
    let output = run(dir.path(), &["init"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("is a database already"), "{}", said(&output));
}

#[test]
fn a_password_may_come_by_pipe_and_must_not_be_short() {
    let dir = tempfile::tempdir().unwrap();
    let piped = |password: &str| {
        let mut child = erp(dir.path())
            .arg("init")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    assert_eq!(piped("short\n").status.code(), Some(64));
    let output = piped("long enough\n");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!said(&output).contains("long enough"));
}

#[test]
fn two_servers_on_one_directory_are_refused_and_sigterm_ends_in_order() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["init", "--demo"]).status.code(), Some(0));
    let mut server = Server::start(dir.path());
    let second = run(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains("another erp works in"), "{}", said(&second));
    let (code, took) = server.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(8), "{took:?}");
    // And what it made is found again.
    let mut server = Server::start(dir.path());
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn without_its_key_file_the_server_does_not_start_with_new_keys() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["init"]).status.code(), Some(0));
    std::fs::remove_file(dir.path().join("var/erp/secret.key")).unwrap();
    let output = run(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("put it back from your backup"), "{}", said(&output));
}
