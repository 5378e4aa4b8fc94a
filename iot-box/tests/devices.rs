//! Devices that come and go, on the shipped program.

#![allow(clippy::unwrap_used, reason = "a test may fail in its helpers as well")]

mod harness;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use harness::{Daemon, Scanner, iot_box};
use serde_json::Value;

fn devices(dir: &Path) -> Vec<Value> {
    let output = iot_box(dir, &["devices", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    json["devices"].as_array().cloned().unwrap_or_default()
}

/// The device that fits, as soon as there is one.
fn wait_for(dir: &Path, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let since = Instant::now();
    loop {
        let devices = devices(dir);
        if let Some(device) = devices.iter().find(|d| fits(d)) {
            return device.clone();
        }
        assert!(since.elapsed() < Duration::from_secs(20), "no {what} among {devices:#?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn an_unplugged_scanner_keeps_its_row_and_works_again_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let scanner = Scanner::new();
    let ports = scanner.ports_file(dir.path());
    let _daemon = Daemon::start(dir.path(), &["--sim", ports.to_str().unwrap()]);
    let is = |status: &'static str| move |d: &Value| d["id"] == "till-scanner" && d["status"] == status;
    wait_for(dir.path(), "ready scanner", is("ready"));
    std::fs::write(&ports, "").unwrap();
    let gone = wait_for(dir.path(), "scanner that is offline", is("offline"));
    assert!(gone["message"].as_str().unwrap().contains("check its cable"), "{gone}");
    scanner.ports_file(dir.path());
    wait_for(dir.path(), "scanner that is ready again", is("ready"));
}

#[tokio::test]
async fn a_printer_that_is_off_is_shown_so_and_can_be_added_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let password = String::from_utf8(iot_box(dir.path(), &["password"]).stdout).unwrap();
    let entered = daemon.form("/sign-in", "", &format!("password={}", password.trim())).await;
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    // A port that was free a moment ago: nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    let added = daemon.form("/printers/add", &cookie, &format!("address=127.0.0.1%3A{port}")).await;
    assert_eq!(added.status, 303);
    let printer = wait_for(dir.path(), "offline printer", |d| d["class"] == "printer" && d["status"] == "offline");
    assert!(printer["message"].as_str().unwrap().contains("switched on"), "{printer}");

    let id = printer["id"].as_str().unwrap().replace(':', "%3A");
    assert_eq!(daemon.form(&format!("/devices/{id}/test"), &cookie, "").await.status, 303);
    let home = daemon.get("/", &[("cookie", &cookie)]).await;
    assert!(home.body.contains("Test ticket not printed."), "{}", home.body);

    assert_eq!(daemon.form("/printers/remove", &cookie, &format!("address=127.0.0.1%3A{port}")).await.status, 303);
    let home = daemon.get("/", &[("cookie", &cookie)]).await;
    assert!(home.body.contains("was removed"), "{}", home.body);
}
