//! `erp apps` as people type it, with and without a server that runs.

#![allow(clippy::unwrap_used, reason = "tests; clippy knows only the functions marked as such")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn erp(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_erp"));
    command.current_dir(dir).env_remove("ERP_ADMIN_PASSWORD").env_remove("ERP_DATABASE_URL").stdin(Stdio::null());
    command
}

/// (exit code, everything that was said)
fn run(dir: &Path, args: &[&str]) -> (i32, String) {
    let output = erp(dir).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said)
}

fn start(dir: &Path) -> Server {
    let mut child = erp(dir).args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let server = Server(child);
    assert!(log.any(|line| line.is_ok_and(|l| l.contains("Ready."))), "it never became ready");
    std::thread::spawn(move || log.for_each(drop));
    server
}

/// Name and state as `erp apps list` says them.
fn state(dir: &Path, app: &str) -> String {
    let (code, said) = run(dir, &["apps", "list"]);
    assert_eq!(code, 0, "{said}");
    let line = said.lines().find(|line| line.split_whitespace().next() == Some(app));
    line.unwrap_or_else(|| panic!("{app} is not in the list:\n{said}")).split_whitespace().nth(1).unwrap().to_owned()
}

const TOYS: &str = r#"
name = "toys"
label = "Toys"
depends = ["base"]

[[models]]
name = "toy"
label = "Toy"

[[models.fields]]
name = "name"
type = "char"

[[data]]
id = "bear"
model = "toy"
values = { name = "Bear" }
"#;

/// Installed, seen and erased again, whoever does it.
fn life_of_toys(dir: &Path) {
    assert_eq!(state(dir, "toys"), "uninstalled");
    let (code, said) = run(dir, &["apps", "install", "toys"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("installing toys") && said.contains("Done: toys."), "{said}");
    assert_eq!(state(dir, "toys"), "installed");
    assert_eq!(run(dir, &["apps", "install", "toys"]), (0, "Nothing to do.\n".to_owned()));
    let (code, said) = run(dir, &["apps", "upgrade", "toys"]);
    assert!(code == 0 && said.contains("upgrading toys"), "{said}");
    let (code, said) = run(dir, &["apps", "uninstall", "toys"]);
    assert_eq!(code, 1);
    assert!(said.contains("app toys (Toys)") && said.contains("1 records of Toy (toy)"), "{said}");
    assert!(said.contains("nothing was done") && said.contains("--yes"), "{said}");
    assert_eq!(state(dir, "toys"), "installed");
    let (code, said) = run(dir, &["apps", "uninstall", "--yes", "toys"]);
    assert!(code == 0 && said.contains("uninstalling toys"), "{said}");
    assert_eq!(state(dir, "toys"), "uninstalled");
    let (code, said) = run(dir, &["apps", "uninstall", "--yes", "toys"]);
    assert!(code == 1 && said.contains("the app toys is not installed"), "{said}");
    let (code, said) = run(dir, &["apps", "uninstall", "--yes", "base"]);
    assert!(code == 1 && said.contains("base cannot be uninstalled"), "{said}");
    assert_eq!(run(dir, &["apps", "install", "nothing"]).0, 64);
}

#[test]
fn apps_come_and_go_by_the_command_line_whether_a_server_runs_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let (code, said) = run(dir.path(), &["apps", "list"]);
    assert!(code == 1 && said.contains("run erp init"), "{said}");
    let (code, said) = run(dir.path(), &["init", "--apps", "contacts"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(state(dir.path(), "contacts"), "installed");

    // An app that is a file, put there after the database was made.
    let folder = dir.path().join("var/erp/apps");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("toys.toml"), TOYS).unwrap();
    life_of_toys(dir.path());

    std::fs::remove_file(folder.join("toys.toml")).unwrap();
    let server = start(dir.path());
    let (_, said) = run(dir.path(), &["apps", "list"]);
    assert!(said.contains("toys") && said.contains("uninstallable"), "its file is gone: {said}");
    std::fs::write(folder.join("toys.toml"), TOYS).unwrap();
    life_of_toys(dir.path());
    std::fs::write(folder.join("broken.toml"), "name = 5").unwrap();
    let (code, said) = run(dir.path(), &["apps", "list"]);
    assert!(code == 1 && said.contains("broken.toml is no app"), "{said}");
    std::fs::remove_file(folder.join("broken.toml")).unwrap();
    assert_eq!(run(dir.path(), &["apps", "install", "toys"]).0, 0);
    drop(server);

    // A socket that a killed server left is in nobody's way.
    assert_eq!(state(dir.path(), "toys"), "installed");
    drop(start(dir.path()));
}
