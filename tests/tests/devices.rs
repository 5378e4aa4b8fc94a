//! Devices that misbehave: a clear message at the right place, and nothing lost or stuck.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use anyhow::{Context, Result};
use link_protocol::{
    local::FromBox,
    outcome::{Outcome, Reason, Value as OutcomeValue},
    up::{DeviceClass, DeviceStatus},
};
use serde_json::json;
use system_tests::{
    clock::monotonic_us,
    counter::{Counter, PRINTER, SCALE, SCANNER},
    shop::{Options, printed, scenario},
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

async fn print_one(counter: &Counter, id: &str) -> Result<()> {
    let printer = counter.device(DeviceClass::Printer)?;
    let products = counter.erp.till_config().await?.products;
    let product = products.iter().find(|p| !p.to_weight).context("nothing is sold by the piece")?.id;
    let lines = json!([{ "product_id": product, "qty": 1 }]);
    let body = json!({ "command_id": id, "box": counter.box_id, "device": printer, "lines": lines, "cash": false });
    counter.erp.print(&body).await
}

async fn wait_for(counter: &mut Counter, class: DeviceClass, status: DeviceStatus) -> String {
    let is_it = |f: &FromBox| matches!(f, FromBox::State { devices, .. } if devices.iter().any(|d| d.class == class && d.status == status));
    match counter.till.next(&format!("{class:?} {status:?}"), PATIENCE, is_it).await.unwrap().frame {
        FromBox::State { devices, .. } => {
            devices.into_iter().find(|d| d.class == class && d.status == status).unwrap().message
        }
        _ => unreachable!(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_endless_codes_do_not_stop_the_scanner() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    counter.sim.send(SCANNER, "garbage", json!({ "hex": "00ff1b80fe0d" })).await.unwrap();
    let endless = "7".repeat(10_000);
    counter.sim.send(SCANNER, "scan", json!({ "code": endless })).await.unwrap();
    counter.scan("4006381333931").await.unwrap();
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_scale_says_so_and_a_weight_is_refused_in_time() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    counter.sim.send(SCALE, "mute", json!({ "on": true })).await.unwrap();
    let message = wait_for(&mut counter, DeviceClass::Scale, DeviceStatus::Error).await;
    assert!(!message.is_empty(), "a silent scale says what to do");
    let scale = counter.device(DeviceClass::Scale).unwrap();
    let id = format!("weigh-{}", monotonic_us());
    let body = json!({ "command_id": id, "box": counter.box_id, "device": scale, "do": "read_weight", "ttl_ms": 1500 });
    counter.erp.command(&body).await.unwrap();
    let outcome = counter.erp.outcome(&id, PATIENCE).await.unwrap();
    assert!(matches!(outcome, Outcome::Rejected { .. }), "{outcome:?}");
    counter.sim.send(SCALE, "mute", json!({ "on": false })).await.unwrap();
    counter.sim.send(SCALE, "garbage", json!({ "hex": "ff00026162630d0d02" })).await.unwrap();
    wait_for(&mut counter, DeviceClass::Scale, DeviceStatus::Ready).await;
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_paper_refuses_before_the_first_byte_and_prints_after_a_new_roll() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    counter.sim.send(PRINTER, "paper", json!({ "state": "out" })).await.unwrap();
    wait_for(&mut counter, DeviceClass::Printer, DeviceStatus::Error).await;
    let before = printed(&mut counter.sim, PRINTER).await.unwrap().len();
    print_one(&counter, "sale-without-paper").await.unwrap();
    let outcome = counter.erp.outcome("sale-without-paper", PATIENCE).await.unwrap();
    assert!(matches!(outcome, Outcome::Rejected { reason: Reason::PaperOut, .. }), "{outcome:?}");
    counter.sim.send(PRINTER, "paper", json!({ "state": "ok" })).await.unwrap();
    wait_for(&mut counter, DeviceClass::Printer, DeviceStatus::Ready).await;
    print_one(&counter, "sale-with-paper").await.unwrap();
    let outcome = counter.erp.outcome("sale-with-paper", PATIENCE).await.unwrap();
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert_eq!(printed(&mut counter.sim, PRINTER).await.unwrap().len(), before + 1);
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printer_that_dies_in_a_job_leaves_doubt_and_is_never_asked_twice() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    let before = printed(&mut counter.sim, PRINTER).await.unwrap().len();
    counter.sim.send(PRINTER, "die_after", json!({ "bytes": 120 })).await.unwrap();
    print_one(&counter, "sale-that-dies").await.unwrap();
    let outcome = counter.erp.outcome("sale-that-dies", PATIENCE).await.unwrap();
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    counter.sim.plug(PRINTER).await.unwrap();
    // The same sale again: the stored outcome, no paper.
    print_one(&counter, "sale-that-dies").await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(printed(&mut counter.sim, PRINTER).await.unwrap().len(), before);
    print_one(&counter, "sale-after-that").await.unwrap();
    let outcome = counter.erp.outcome("sale-after-that", PATIENCE).await.unwrap();
    assert!(matches!(outcome, Outcome::Done { value: OutcomeValue::Print { .. } }), "{outcome:?}");
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_unplugged_is_shown_and_scans_again_when_it_is_back() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    counter.sim.unplug(SCANNER).await.unwrap();
    wait_for(&mut counter, DeviceClass::Scanner, DeviceStatus::Offline).await;
    counter.sim.plug(SCANNER).await.unwrap();
    wait_for(&mut counter, DeviceClass::Scanner, DeviceStatus::Ready).await;
    counter.scan("4006381333931").await.unwrap();
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tills_that_print_at_once_get_a_receipt_each() {
    let dir = TempDir::new().unwrap();
    let mut options = Options::new(dir.path());
    options.scenario = scenario("shop.toml");
    let mut counter = Counter::open_with(options).await.unwrap();
    let before = printed(&mut counter.sim, PRINTER).await.unwrap().len();
    let (a, b) = tokio::join!(print_one(&counter, "sale-of-till-1"), print_one(&counter, "sale-of-till-2"));
    a.unwrap();
    b.unwrap();
    for id in ["sale-of-till-1", "sale-of-till-2"] {
        let outcome = counter.erp.outcome(id, PATIENCE).await.unwrap();
        assert!(matches!(outcome, Outcome::Done { .. }), "{id}: {outcome:?}");
    }
    assert_eq!(printed(&mut counter.sim, PRINTER).await.unwrap().len(), before + 2);
    counter.shop.close().await.unwrap();
}
