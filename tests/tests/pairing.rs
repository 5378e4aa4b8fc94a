//! A box and an ERP come together and part, by every way there is.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use link_protocol::local::Hello;
use system_tests::{
    counter::{Counter, PRINTER},
    programs::until,
    shop::{Options, Shop},
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(15);

async fn hello(shop: &Shop) -> Hello {
    shop.box_http().unwrap().get_json("/v1/hello").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_pairs_once_and_a_second_use_is_refused_with_a_reason() {
    let dir = TempDir::new().unwrap();
    let shop = Shop::open(Options::new(dir.path())).await.unwrap();
    let erp = shop.administrator().await.unwrap();
    let token = erp.token().await.unwrap();
    let (code, said) = shop.iot_box_command(&["pair"], &token).await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    assert!(hello(&shop).await.paired);
    until("the box online", PATIENCE, || async {
        Ok(erp.till_config().await?.boxes.iter().any(|b| b.online).then_some(()))
    })
    .await
    .unwrap();

    let (code, said) = shop.iot_box_command(&["unpair"], "").await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    assert!(!hello(&shop).await.paired);
    let (code, said) = shop.iot_box_command(&["pair"], &token).await.unwrap();
    assert_eq!(code, Some(1), "a used token must not pair again: {said}");
    assert!(said.contains("token"), "the message speaks of the token: {said}");
    let (code, said) = shop.iot_box_command(&["pair"], "not a token").await.unwrap();
    assert_eq!(code, Some(1), "{said}");
    shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_is_refused_and_five_of_them_void_the_code() {
    let dir = TempDir::new().unwrap();
    let shop = Shop::open(Options::new(dir.path())).await.unwrap();
    let mut sim = shop.control().await.unwrap();
    let erp = shop.administrator().await.unwrap();
    let code = shop.code_on_ticket(&mut sim, PRINTER).await.unwrap();
    let wrong = if code.starts_with('0') { code.replacen('0', "1", 1) } else { code.replacen(&code[..1], "0", 1) };
    for attempt in 1..=5 {
        let pending = until("the box's offer", PATIENCE, || async { Ok(erp.pending().await?.into_iter().next()) })
            .await
            .unwrap_or_else(|e| panic!("before attempt {attempt}: {e:#}"));
        let refused = erp.connect(&pending.session, &wrong).await.unwrap_err();
        assert!(format!("{refused:#}").contains("code"), "attempt {attempt}: {refused:#}");
    }
    // The right code comes too late: it is void.
    tokio::time::sleep(Duration::from_secs(1)).await;
    if let Some(pending) = erp.pending().await.unwrap().into_iter().next() {
        assert!(erp.connect(&pending.session, &code).await.is_err(), "the voided code still pairs");
    }
    assert!(!hello(&shop).await.paired);
    shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unpairing_in_the_erp_cuts_the_session_and_keeps_unsent_events() {
    let dir = TempDir::new().unwrap();
    let mut counter = Counter::open(dir.path()).await.unwrap();
    counter.scan("1000000000001").await.unwrap();
    counter.scans_in_erp(1, PATIENCE).await.unwrap();
    counter.shop.erp.take().unwrap().stop().await.unwrap();
    counter.scan("1000000000002").await.unwrap();
    counter.shop.iot_box.take().unwrap().stop().await.unwrap();
    counter.shop.start_erp().await.unwrap();
    counter.sign_in_again().await.unwrap();
    counter.erp.unpair(&counter.box_id).await.unwrap();
    counter.shop.start_box().await.unwrap();
    let shop = &counter.shop;
    until("the box to learn that it was unpaired", PATIENCE, || async {
        Ok((!hello(shop).await.paired).then_some(()))
    })
    .await
    .unwrap();
    // The scan made under the old pairing stays on the box and does not go to the next one.
    let token = counter.erp.token().await.unwrap();
    let (code, said) = counter.shop.iot_box_command(&["pair"], &token).await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    counter.reopen_till(None).await.unwrap();
    counter.scan("1000000000003").await.unwrap();
    let held = counter.scans_in_erp(2, PATIENCE).await.unwrap();
    let texts: Vec<&str> = held.iter().map(|s| s.text.as_str()).collect();
    assert_eq!(texts, ["1000000000001", "1000000000003"]);
    counter.shop.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unpairing_at_the_box_ends_the_session_and_the_erp_says_so() {
    let dir = TempDir::new().unwrap();
    let counter = Counter::open(dir.path()).await.unwrap();
    let (code, said) = counter.shop.iot_box_command(&["unpair"], "").await.unwrap();
    assert_eq!(code, Some(0), "{said}");
    until("the ERP to show the box as unpaired", PATIENCE, || async {
        let boxes = counter.erp.till_config().await?.boxes;
        Ok(boxes.iter().all(|b| !b.online).then_some(()))
    })
    .await
    .unwrap();
    counter.shop.close().await.unwrap();
}
