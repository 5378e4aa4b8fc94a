//! How fast the hub and ingest are. `cargo nextest run -p erp --run-ignored only rates` (with `--release` for figures that
//! mean something).

use std::time::Instant;

use rmqtt_codec::v5::Packet;
use serde_json::json;

use crate::{
    hub::tests::publish,
    testing::{TestBox, TestServer, TestWire},
};

/// Batches under way at once.
const WINDOW: u16 = 8;

async fn send(wire: &mut TestWire, it: &TestBox, batches: u64, size: u64) {
    let pairing = it.grant.as_ref().unwrap().pairing.as_str();
    let (mut sent, mut confirmed) = (0, 0);
    while confirmed < batches {
        while sent < batches && sent - confirmed < u64::from(WINDOW) {
            let events: Vec<_> = (sent * size + 1..=(sent + 1) * size)
                .map(|seq| {
                    json!({"epoch": "00000000000000aa", "seq": seq, "device": "scan1", "at_ms": 1_700_000_000_000_i64,
                           "type": "barcode", "data": {"text": "4006381333931"}})
                })
                .collect();
            let payload = json!({"v": 1, "pairing": pairing, "events": events}).to_string();
            let id = u16::try_from(sent % u64::from(WINDOW)).unwrap() + 1;
            wire.send(publish(&it.topic("up/events"), id, payload)).await;
            sent += 1;
        }
        match wire.next().await.unwrap() {
            Packet::PublishAck(ack) => {
                assert_eq!(u8::from(ack.reason_code), 0);
                confirmed += 1;
            }
            Packet::Publish(down) => {
                let ack = rmqtt_codec::v5::PublishAck {
                    packet_id: down.packet_id.unwrap(),
                    reason_code: rmqtt_codec::v5::PublishAckReason::Success,
                    properties: vec![],
                    reason_string: None,
                };
                wire.send(Packet::PublishAck(ack)).await;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn events_through_tls_hub_and_ingest_into_the_database() {
    for size in [1, 100] {
        let server = TestServer::start().await;
        let it = server.paired_box("Shop").await;
        let (mut wire, _) = it.session(server.address).await;
        let batches = if size == 1 { 5_000 } else { 300 };
        let start = Instant::now();
        send(&mut wire, &it, batches, size).await;
        let rate = (batches * size) as f64 / start.elapsed().as_secs_f64();
        assert_eq!(server.count("iot.event").await, batches * size);
        println!("events in batches of {size}: {rate:.0}/s stored and confirmed");
    }
}
