//! The ERP away, killed, the box killed: what the till heard of arrives once, in order.

use std::time::Duration;

use system_tests::counter::{Counter, Faults, SCANNER, faults};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

fn codes(from: usize, n: usize) -> Vec<String> {
    (from..from + n).map(|i| format!("{i:013}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_made_while_the_erp_is_away_arrive_once_and_in_order() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    let heard = codes(0, 40);
    for code in &heard[..10] {
        counter.scan(code).await.unwrap();
    }
    counter.shop.erp.take().unwrap().stop().await.unwrap();
    for code in &heard[10..] {
        counter.scan(code).await.unwrap();
    }
    counter.shop.start_erp().await.unwrap();
    counter.sign_in_again().await.unwrap();
    let held = counter.scans_in_erp(heard.len(), PATIENCE).await.unwrap();
    assert_eq!(faults(&heard, &held), Faults::default());
    assert_eq!(held.len(), heard.len());
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erp_killed_in_the_middle_has_every_scan_once() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    let heard = codes(0, 60);
    for (n, code) in heard.iter().enumerate() {
        if n % 20 == 10 {
            counter.shop.erp.take().unwrap().kill().await.unwrap();
        }
        counter.scan(code).await.unwrap();
        if n % 20 == 15 {
            counter.shop.start_erp().await.unwrap();
        }
    }
    counter.sign_in_again().await.unwrap();
    let held = counter.scans_in_erp(heard.len(), PATIENCE).await.unwrap();
    assert_eq!(faults(&heard, &held), Faults::default());
    assert_eq!(held.len(), heard.len());
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_killed_in_the_middle_loses_nothing_the_till_heard_of() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    let heard = codes(0, 30);
    for (n, code) in heard.iter().enumerate() {
        counter.scan(code).await.unwrap();
        if n % 10 == 7 {
            // A scan that the box may or may not have finished: it counts for neither side.
            counter.sim.scan(SCANNER, &format!("9{n:012}")).await.unwrap();
            counter.shop.iot_box.take().unwrap().kill().await.unwrap();
            counter.shop.start_box().await.unwrap();
            counter.reopen_till(None).await.unwrap();
        }
    }
    let held = counter.scans_in_erp(heard.len(), PATIENCE).await.unwrap();
    let certain: Vec<_> = held.into_iter().filter(|s| !s.text.starts_with('9')).collect();
    assert_eq!(faults(&heard, &certain), Faults::default());
    assert_eq!(certain.len(), heard.len());
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_that_was_away_gets_what_it_missed_by_its_cursor() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    let last = counter.scan("1000000000001").await.unwrap();
    let missed = codes(0, 5);
    for code in &missed {
        counter.scan(code).await.unwrap();
    }
    // A second till with the first one's cursor: all five, in order, and only they.
    let mut late = counter.shop.till(&counter.erp, Some(last)).await.unwrap();
    for code in &missed {
        let frame = late.next("a missed scan", PATIENCE, |f| matches!(f, link_protocol::local::FromBox::Event(_)));
        let frame = serde_json::to_value(frame.await.unwrap().frame).unwrap();
        assert_eq!(frame["data"]["text"], **code);
    }
    counter.shop.close().await.unwrap();
}
