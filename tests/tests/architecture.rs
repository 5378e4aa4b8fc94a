//! The arrows between the workspace's crates run one way, and only these.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// Crate, and the workspace crates it may depend on in what ships.
const ARROWS: &[(&str, &[&str])] = &[
    ("link-protocol", &[]),
    ("drivers", &[]),
    ("cloud-link", &["link-protocol"]),
    ("iot-box", &["cloud-link", "drivers", "link-protocol"]),
    ("erp-engine", &[]),
    ("erp-exchange", &[]),
    ("erp-apps", &["erp-engine", "erp-exchange"]),
    ("erp", &["erp-apps", "erp-engine", "link-protocol"]),
    ("iot-sim", &[]),
    ("system-tests", &["cloud-link", "drivers", "iot-sim", "link-protocol"]),
];

fn metadata() -> Value {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo metadata runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo metadata prints JSON")
}

#[test]
fn crates_depend_on_each_other_only_along_the_arrows() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for package in packages {
        let name = package["name"].as_str().expect("name");
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("{name} is new: give it a row in ARROWS"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = dependency["name"].as_str().expect("name");
            let shipped = dependency["kind"].is_null();
            if shipped && ours.contains(&to) {
                assert!(allowed.contains(&to), "{name} must not depend on {to}");
            }
        }
    }
}

#[test]
fn drivers_know_neither_serde_nor_http() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let drivers = packages.iter().find(|p| p["name"] == "drivers").expect("drivers");
    for dependency in drivers["dependencies"].as_array().expect("dependencies") {
        let to = dependency["name"].as_str().expect("name");
        let shipped = dependency["kind"].is_null();
        assert!(
            !shipped || !["serde", "serde_json", "toml", "hyper", "axum", "rumqttc"].contains(&to),
            "drivers -> {to}"
        );
    }
}

#[test]
fn the_engine_knows_no_http() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let engine = packages.iter().find(|p| p["name"] == "erp-engine").expect("erp-engine");
    for dependency in engine["dependencies"].as_array().expect("dependencies") {
        let to = dependency["name"].as_str().expect("name");
        assert!(!["axum", "hyper", "http", "tower"].contains(&to), "erp-engine -> {to}");
    }
}
