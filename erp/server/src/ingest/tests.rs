use link_protocol::{
    down::Hello,
    up::{Connection, Device, DeviceClass, DeviceStatus, Goodbye, Outbox, State},
};
use rmqtt_codec::v5::Packet;
use serde_json::json;

use super::*;
use crate::{
    boxes::PairingState,
    hub::tests::publish,
    testing::{TestBox, TestServer, TestWire, eventually},
};

const EPOCH: &str = "00000000000000aa";

fn event(seq: u64, text: &str) -> serde_json::Value {
    json!({"epoch": EPOCH, "seq": seq, "device": "scan1", "at_ms": 1_700_000_000_000_i64,
           "type": "barcode", "data": {"text": text}})
}

fn batch(it: &TestBox, events: &[serde_json::Value]) -> Vec<u8> {
    let pairing = it.grant.as_ref().unwrap().pairing.as_str();
    format!(r#"{{"v":1,"pairing":"{pairing}","events":{}}}"#, json!(events)).into_bytes()
}

/// Sends a batch and reads its PUBACK and, if it was taken and not empty, the ack that comes beside it.
async fn send(wire: &mut TestWire, it: &TestBox, id: u16, payload: Vec<u8>) -> (u8, Vec<Ack>) {
    let empty = payload.ends_with(br#""events":[]}"#) || !payload.starts_with(b"{");
    wire.send(publish(&it.topic("up/events"), id, payload)).await;
    let (mut code, mut acks) = (None, vec![]);
    loop {
        match wire.next().await {
            Some(Packet::PublishAck(a)) if a.packet_id.get() == id => code = Some(u8::from(a.reason_code)),
            Some(Packet::Publish(p)) if *p.topic == *it.topic("down/ack") => {
                acks.push(serde_json::from_slice(&p.payload).unwrap());
            }
            Some(Packet::Disconnect(d)) => return (d.reason_code.into(), acks),
            other => panic!("{other:?}"),
        }
        match code {
            Some(0) if acks.is_empty() && !empty => {}
            Some(code) => return (code, acks),
            None => {}
        }
    }
}

fn ack(seq: u64) -> Ack {
    Ack { epoch: EPOCH.parse().unwrap(), seq }
}

async fn each_event_is_stored_once_and_acknowledged_after_its_commit(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let mut bus = server.state.bus.subscribe();
    let (mut wire, hello) = it.session(server.address).await;
    assert_eq!(hello.committed, []);
    let (code, acks) = send(&mut wire, &it, 1, batch(&it, &[event(1, "a"), event(2, "b")])).await;
    assert_eq!((code, acks), (0, vec![ack(2)]));
    assert_eq!(server.count("iot.event").await, 2);
    // The same again, with one more.
    let (code, acks) = send(&mut wire, &it, 2, batch(&it, &[event(1, "a"), event(2, "b"), event(3, "c")])).await;
    assert_eq!((code, acks), (0, vec![ack(3)]));
    assert_eq!(server.count("iot.event").await, 3);
    let mut heard = vec![];
    while let Ok(message) = bus.try_recv() {
        if let BusMessage::Event { event, .. } = message {
            heard.push(event.id.seq);
        }
    }
    assert_eq!(heard, [1, 2, 3], "each new event once");
    drop(wire);
    let (_, hello) = it.session(server.address).await;
    assert_eq!(hello.committed, [ack(3)]);
    let rows = server.state.events.after(server.cashier, 0, 10).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.data["text"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "b", "c"]);
}

async fn a_gap_within_a_session_is_refused_and_never_acknowledged(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let (mut wire, _) = it.session(server.address).await;
    assert_eq!(send(&mut wire, &it, 1, batch(&it, &[event(1, "a")])).await.0, 0);
    let (code, acks) = send(&mut wire, &it, 2, batch(&it, &[event(3, "c")])).await;
    assert_ne!(code, 0);
    assert_eq!(acks, []);
    assert_eq!(server.count("iot.event").await, 1);
    // The session is ended, and the next one begins at the first unsent event.
    let (mut wire, hello) = it.session(server.address).await;
    assert_eq!(hello.committed, [ack(1)]);
    let (code, acks) = send(&mut wire, &it, 1, batch(&it, &[event(2, "b"), event(3, "c")])).await;
    assert_eq!((code, acks), (0, vec![ack(3)]));
    assert!(server.audits().await.contains(&"events_out_of_order".to_owned()));
}

async fn events_of_another_pairing_are_refused_loudly_and_not_stored(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let (mut wire, _) = it.session(server.address).await;
    let foreign = json!({"v": 1, "pairing": "pairing-of-another-erp", "events": [event(1, "a")]}).to_string();
    let (code, acks) = send(&mut wire, &it, 1, foreign.into_bytes()).await;
    assert_eq!((code, acks), (135, vec![]));
    assert_eq!(server.count("iot.event").await, 0);
    assert!(server.audits().await.contains(&"events_refused".to_owned()));
}

async fn unknown_types_are_stored_and_nonsense_blocks_nothing(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let (mut wire, _) = it.session(server.address).await;
    let picture =
        json!({"epoch": EPOCH, "seq": 1, "device": "cam", "at_ms": -1, "type": "picture", "data": {"x": "a\u{0}b"}});
    let bare = json!({"epoch": EPOCH, "seq": 2});
    let long = event(3, &"4".repeat(10_000));
    assert_eq!(send(&mut wire, &it, 1, batch(&it, &[picture, bare, long])).await, (0, vec![ack(3)]));
    assert_eq!(send(&mut wire, &it, 2, b"\xff not json".to_vec()).await, (153, vec![]));
    assert_eq!(send(&mut wire, &it, 3, batch(&it, &[])).await, (0, vec![]));
    wire.send(publish(&it.topic("up/state"), 4, "{}")).await;
    let Some(Packet::PublishAck(refused)) = wire.next().await else { panic!() };
    assert_eq!(u8::from(refused.reason_code), 153);
    let rows = server.state.events.after(server.admin, 0, 10).await.unwrap();
    assert_eq!(
        rows.iter().map(|r| (r.seq, r.r#type.as_str())).collect::<Vec<_>>(),
        [(1, "picture"), (2, "unknown"), (3, "barcode")]
    );
}

async fn one_event_name_with_two_contents_is_told_on_the_boxs_record(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let (mut wire, _) = it.session(server.address).await;
    assert_eq!(send(&mut wire, &it, 1, batch(&it, &[event(1, "mine")])).await.0, 0);
    assert_eq!(send(&mut wire, &it, 2, batch(&it, &[event(1, "of my clone")])).await.0, 0);
    let row = server.state.boxes.get(server.cashier, &it.box_id).await.unwrap();
    assert!(row.message.contains("two boxes use the same identity"), "{}", row.message);
    assert_eq!(server.count("iot.event").await, 1);
}

fn state(devices: Vec<Device>) -> State {
    State {
        v: 1,
        online: true,
        name: "Shop".into(),
        version: "0.2.0".into(),
        urls: vec!["https://192.168.1.7:8443".into()],
        devices,
        outbox: Outbox { unsent: 4, full: true },
        certificate_not_after_ms: None,
    }
}

fn scale(status: DeviceStatus) -> Device {
    Device {
        id: "scale-1".parse().unwrap(),
        name: "Scale\u{202e}".into(),
        class: DeviceClass::Scale,
        connection: Connection::Serial,
        driver: "scale.toledo_8217".into(),
        manufacturer: String::new(),
        model: String::new(),
        status,
        message: String::new(),
    }
}

async fn say_state(wire: &mut TestWire, it: &TestBox, id: u16, state: &State) {
    wire.send(publish(&it.topic("up/state"), id, serde_json::to_vec(state).unwrap())).await;
    loop {
        if let Some(Packet::PublishAck(a)) = wire.next().await {
            assert_eq!(u8::from(a.reason_code), 0);
            return;
        }
    }
}

async fn a_state_becomes_records_and_only_what_changed_is_told(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let (mut wire, _) = it.session(server.address).await;
    say_state(&mut wire, &it, 1, &state(vec![scale(DeviceStatus::Ready)])).await;
    let row = server.state.boxes.get(server.cashier, &it.box_id).await.unwrap();
    assert!(row.online && row.outbox_full && row.unsent == 4);
    assert_eq!(
        row.devices.iter().map(|d| (d.name.as_str(), d.status.as_str())).collect::<Vec<_>>(),
        [("Scale", "ready")]
    );

    let mut bus = server.state.bus.subscribe();
    say_state(&mut wire, &it, 2, &state(vec![scale(DeviceStatus::Ready)])).await;
    say_state(&mut wire, &it, 3, &state(vec![])).await;
    let device = loop {
        if let BusMessage::Device { device, .. } = bus.recv().await.unwrap() {
            break device;
        }
    };
    // The first one told is this: the same state again was not.
    assert_eq!(device.status, DeviceStatus::Offline, "a device that is gone stays, offline");
    drop(wire);
    eventually(async || !server.state.boxes.get(server.cashier, &it.box_id).await.unwrap().online).await;
}

async fn a_box_that_says_goodbye_is_unpaired_and_let_in_no_more(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let (mut wire, hello) = it.session(server.address).await;
    let Hello { pairing, .. } = hello;
    let goodbye = Goodbye { v: 1, pairing, unsent: 3 };
    wire.send(publish(&it.topic("up/goodbye"), 1, serde_json::to_vec(&goodbye).unwrap())).await;
    let Some(Packet::PublishAck(_)) = wire.next().await else { panic!() };
    let Some(Packet::Disconnect(last)) = wire.next().await else { panic!() };
    assert_eq!((u8::from(last.reason_code), last.reason_string.as_deref()), (135, Some("unpaired")));
    let row = server.state.boxes.get(server.cashier, &it.box_id).await.unwrap();
    assert_eq!(
        (row.state, row.message.as_str()),
        (PairingState::Unpaired, "unpaired on the box; 3 events stayed there")
    );
    let mut wire = it.wire(server.address).await;
    wire.send(it.connect().into()).await;
    let Some(Packet::ConnectAck(refused)) = wire.next().await else { panic!() };
    assert_eq!((u8::from(refused.reason_code), refused.reason_string.as_deref()), (135, Some("unpaired")));
}

async fn the_last_will_of_an_older_connection_does_not_make_a_box_absent(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let mut ingest = ingest(&server);
    let box_id = || it.box_id.clone();
    let connected = |session| Inbound::Connected { box_id: box_id(), session, address: server.address };
    let will = State { online: false, ..state(vec![]) };
    let will = serde_json::to_vec(&will).unwrap().into();
    let said = [
        connected(7),
        connected(8),
        // The older connection broke, and the hub noticed it late.
        Inbound::Message { box_id: box_id(), session: 7, leaf: topic::STATE.into(), payload: will, ack: None },
        Inbound::Disconnected { box_id: box_id(), session: 7 },
    ];
    ingest.batch(said.into_iter()).await;
    assert!(server.state.boxes.get(server.cashier, &it.box_id).await.unwrap().online);
}

async fn nothing_is_kept_of_a_session_that_ended(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let mut ingest = ingest(&server);
    let (box_id, session) = (it.box_id.clone(), 7);
    let payload = batch(&it, &[event(1, "a")]).into();
    let said = [
        Inbound::Connected { box_id: box_id.clone(), session, address: server.address },
        Inbound::Message { box_id: box_id.clone(), session, leaf: topic::EVENTS.into(), payload, ack: None },
        Inbound::Disconnected { box_id, session },
    ];
    ingest.batch(said.into_iter()).await;
    assert_eq!(server.count("iot.event").await, 1);
    assert!(ingest.sessions.is_empty() && ingest.current.is_empty());
}

/// Beside the server's own, to see into it.
fn ingest(server: &TestServer) -> Ingest {
    let state = &server.state;
    Ingest::new(Parts {
        engine: state.engine.clone(),
        link: state.link.clone(),
        bus: state.bus.clone(),
        boxes: state.boxes.clone(),
        commands: state.commands.clone(),
    })
}

crate::testing::on_both!(
    each_event_is_stored_once_and_acknowledged_after_its_commit,
    a_gap_within_a_session_is_refused_and_never_acknowledged,
    events_of_another_pairing_are_refused_loudly_and_not_stored,
    unknown_types_are_stored_and_nonsense_blocks_nothing,
    one_event_name_with_two_contents_is_told_on_the_boxs_record,
    a_state_becomes_records_and_only_what_changed_is_told,
    a_box_that_says_goodbye_is_unpaired_and_let_in_no_more,
    the_last_will_of_an_older_connection_does_not_make_a_box_absent,
    nothing_is_kept_of_a_session_that_ended,
);
