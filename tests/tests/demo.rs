//! The first thing a stranger does.

use std::{path::PathBuf, process::Command};

use system_tests::programs::bin_dir;
use tempfile::TempDir;

#[test]
fn the_shop_minute_goes_right_twice_in_a_row_and_leaves_no_process() {
    let dir = TempDir::new().unwrap();
    let shop: PathBuf = dir.path().join("shop");
    for _ in 0..2 {
        let out = Command::new(bin_dir().unwrap().join("shop-demo"))
            .args(["--once", "--dir"])
            .arg(&shop)
            .output()
            .expect("the demo is built beside the tests");
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{said}\n{}", String::from_utf8_lossy(&out.stderr));
        assert!(said.contains("Everything in the shop minute went right."), "{said}");
        let receipt = said.lines().find_map(|l| l.strip_prefix("The receipt: ")).expect("where the receipt lies");
        assert!(std::fs::metadata(receipt).is_ok_and(|m| m.len() > 500), "{receipt} is a picture");
    }
    let left = Command::new("pgrep").arg("-f").arg(&shop).output().expect("pgrep runs");
    assert!(left.stdout.is_empty(), "processes are left: {}", String::from_utf8_lossy(&left.stdout));
}
