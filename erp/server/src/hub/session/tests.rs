use proptest::prelude::*;
use rmqtt_codec::v5::{Codec, SubscriptionOptions};
use tokio_util::codec::Decoder;

use super::*;

fn ids() -> (DbName, BoxId) {
    ("shop".parse().unwrap(), "b".repeat(26).parse().unwrap())
}

fn topic(leaf: &str) -> String {
    let (db, id) = ids();
    link_protocol::topic::topic(&db, &id, leaf)
}

fn connect() -> Connect {
    Connect { clean_start: true, keep_alive: 30, client_id: ids().1.as_str().into(), ..Connect::default() }
}

fn open() -> Session {
    let (db, id) = ids();
    Session::accept(Instant::now(), &db, &id, connect()).unwrap().0
}

fn refused(connect: Connect) -> ConnectAckReason {
    let (db, id) = ids();
    match *Session::accept(Instant::now(), &db, &id, connect).unwrap_err() {
        Packet::ConnectAck(ack) => ack.reason_code,
        other => panic!("{other:?}"),
    }
}

fn will(topic: &str) -> LastWill {
    LastWill {
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: topic.into(),
        message: Bytes::from_static(b"gone"),
        will_delay_interval_sec: None,
        correlation_data: None,
        message_expiry_interval: None,
        content_type: None,
        user_properties: vec![],
        is_utf8_payload: None,
        response_topic: None,
    }
}

fn publish(topic: &str, packet_id: Option<u16>) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        retain: false,
        qos: if packet_id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce },
        topic: topic.into(),
        packet_id: packet_id.map(|id| NonZeroU16::new(id).unwrap()),
        payload: Bytes::from_static(b"{}"),
        properties: None,
    }))
}

fn subscribe(filters: &[&str]) -> Packet {
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: rmqtt_codec::v5::RetainHandling::AtSubscribe,
    };
    Packet::Subscribe(Subscribe {
        packet_id: NonZeroU16::MIN,
        id: None,
        user_properties: vec![],
        topic_filters: filters.iter().map(|f| ((*f).into(), options)).collect(),
    })
}

fn step(session: &mut Session, packet: Packet) -> Vec<Output> {
    let mut out = vec![];
    session.packet(packet, &mut out);
    out
}

fn pubacks(out: &[Output]) -> Vec<(u16, PublishAckReason)> {
    out.iter()
        .filter_map(|o| match o {
            Output::Send(Packet::PublishAck(a)) => Some((a.packet_id.get(), a.reason_code)),
            _ => None,
        })
        .collect()
}

fn disconnect(out: &[Output]) -> Option<Bye> {
    match out {
        [.., Output::Send(Packet::Disconnect(d)), Output::Close] => Some(d.reason_code),
        _ => None,
    }
}

#[test]
fn only_the_certificates_own_client_id_and_will_topic_are_let_in() {
    assert_eq!(refused(connect().client_id("c".repeat(26))), ConnectAckReason::ClientIdentifierNotValid);
    assert_eq!(refused(connect().client_id("")), ConnectAckReason::ClientIdentifierNotValid);
    let other = topic("up/state").replace(&"b".repeat(26), &"c".repeat(26));
    for bad in [other.as_str(), &topic("down/commands"), &topic("up/"), &topic("up/#"), &topic("up/a/b"), "x"] {
        let connect = Connect { last_will: Some(will(bad)), ..connect() };
        assert_eq!(refused(connect), ConnectAckReason::NotAuthorized, "{bad}");
    }
    let (db, id) = ids();
    let good = Connect { last_will: Some(will(&topic("up/state"))), ..connect() };
    let (session, _) = Session::accept(Instant::now(), &db, &id, good).unwrap();
    assert_eq!(session.into_will(), Some(("up/state".to_owned(), Bytes::from_static(b"gone"))));
}

#[test]
fn pubacks_leave_in_the_order_of_arrival_whatever_commits_first() {
    let mut session = open();
    for id in [7, 3, 9] {
        step(&mut session, publish(&topic("up/events"), Some(id)));
    }
    let mut out = vec![];
    session.acked(2, AckResult::Committed, &mut out);
    session.acked(1, AckResult::Failed, &mut out);
    assert_eq!(pubacks(&out), []);
    session.acked(0, AckResult::Committed, &mut out);
    assert_eq!(
        pubacks(&out),
        [
            (7, PublishAckReason::Success),
            (3, PublishAckReason::ImplementationSpecificError),
            (9, PublishAckReason::Success)
        ]
    );
}

#[test]
fn a_publish_outside_the_boxes_own_up_topics_is_refused_and_not_delivered() {
    let mut session = open();
    let other = topic("up/events").replace("/shop/", "/other/");
    for (id, bad) in [(1, topic("down/commands")), (2, other), (3, "iot/v1".into()), (4, topic("up/a/b"))] {
        let out = step(&mut session, publish(&bad, Some(id)));
        assert_eq!(pubacks(&out), [(id, PublishAckReason::NotAuthorized)], "{bad}");
        assert!(!out.iter().any(|o| matches!(o, Output::Deliver { .. })));
    }
    // QoS 0 has no answer but the end.
    let out = step(&mut session, publish(&topic("down/commands"), None));
    assert_eq!(disconnect(&out), Some(Bye::NotAuthorized));
    assert_eq!(step(&mut session, publish(&topic("up/live"), None)), [], "an ended session does nothing");
}

#[test]
fn a_box_may_subscribe_to_its_own_down_topics_only() {
    let mut session = open();
    let other = topic("down/#").replace(&"b".repeat(26), &"c".repeat(26));
    let shared = format!("$share/g/{}", topic("down/#"));
    let filters =
        ["#", "iot/v1/+/+/down/#", &other, &topic("up/#"), &shared, &topic("down/"), &topic("#"), &topic("down/#")];
    let out = step(&mut session, subscribe(&filters));
    let Output::Send(Packet::SubscribeAck(ack)) = &out[0] else { panic!("{out:?}") };
    let mut expected = vec![SubscribeAckReason::NotAuthorized; 7];
    expected.push(SubscribeAckReason::GrantedQos1);
    assert_eq!(ack.status, expected);
    assert_eq!(out[1], Output::Heard);
}

#[test]
fn nothing_goes_down_before_the_box_has_subscribed_and_never_more_than_the_window() {
    let mut session = open();
    assert!(!session.can_publish());
    step(&mut session, subscribe(&[&topic("down/#")]));
    let mut out = vec![];
    let mut sent = 0;
    while session.can_publish() {
        session.publish("down/ack", Bytes::from_static(b"x"), None, &mut out);
        sent += 1;
    }
    assert_eq!(sent, DOWN_WINDOW);
    let Output::Send(Packet::Publish(first)) = &out[0] else { panic!() };
    let ack = PublishAck {
        packet_id: first.packet_id.unwrap(),
        reason_code: PublishAckReason::Success,
        properties: vec![],
        reason_string: None,
    };
    step(&mut session, Packet::PublishAck(ack));
    assert!(session.can_publish());
    out.clear();
    session.publish("down/commands", Bytes::from_static(b"late"), Some(Duration::ZERO), &mut out);
    assert_eq!(out, [], "what has expired is not sent");
}

#[test]
fn more_in_flight_than_announced_and_repeated_packet_ids_end_the_session() {
    let mut session = open();
    for id in 1..=RECEIVE_MAX {
        assert_eq!(disconnect(&step(&mut session, publish(&topic("up/events"), Some(id)))), None);
    }
    let out = step(&mut session, publish(&topic("up/events"), Some(RECEIVE_MAX + 1)));
    assert_eq!(disconnect(&out), Some(Bye::ReceiveMaximumExceeded));

    let mut session = open();
    step(&mut session, publish(&topic("up/events"), Some(1)));
    let out = step(&mut session, publish(&topic("up/events"), Some(1)));
    assert_eq!(disconnect(&out), Some(Bye::ProtocolError));
}

#[test]
fn a_proper_goodbye_and_a_takeover_leave_no_will_and_silence_leaves_it() {
    let (db, id) = ids();
    let with_will = || {
        let connect = Connect { last_will: Some(will(&topic("up/state"))), ..connect() };
        Session::accept(Instant::now(), &db, &id, connect).unwrap().0
    };
    let goodbye = |reason_code| {
        Packet::Disconnect(Disconnect {
            reason_code,
            session_expiry_interval_secs: None,
            server_reference: None,
            reason_string: None,
            user_properties: vec![],
        })
    };
    let mut session = with_will();
    assert_eq!(step(&mut session, goodbye(Bye::NormalDisconnection)), [Output::Close]);
    assert_eq!(session.into_will(), None);
    let mut session = with_will();
    step(&mut session, goodbye(Bye::DisconnectWithWillMessage));
    assert!(session.into_will().is_some());
    let (mut session, mut out) = (with_will(), vec![]);
    assert!(session.deadline() > Instant::now() + Duration::from_secs(44), "keep-alive 30 s times one and a half");
    session.silent(&mut out);
    assert_eq!(disconnect(&out), Some(Bye::KeepAliveTimeout));
    assert!(session.into_will().is_some());
    let (mut session, mut out) = (with_will(), vec![]);
    session.kick(Kick::TakenOver, &mut out);
    assert_eq!(disconnect(&out), Some(Bye::SessionTakenOver));
    assert_eq!(session.into_will(), None);
}

proptest! {
    /// The codec is somebody else's: nothing that arrives may bring the process down.
    #[test]
    fn garbage_never_panics_the_codec_or_the_session(chunks in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let mut codec = Codec::new(link_protocol::MAX_PACKET as u32, 0);
        let mut session = open();
        let mut input = bytes::BytesMut::new();
        for chunk in chunks {
            input.extend_from_slice(&chunk);
            while let Ok(Some((packet, _))) = codec.decode(&mut input) {
                step(&mut session, packet);
            }
        }
    }

    /// Real packets, torn and bent.
    #[test]
    fn bent_packets_never_panic_the_codec(at in 0usize..200, bit in 0u8..8, cut in 0usize..200) {
        use tokio_util::codec::Encoder;
        let packets = [
            Packet::from(Connect { last_will: Some(will(&topic("up/state"))), ..connect() }),
            publish(&topic("up/events"), Some(5)),
            subscribe(&[&topic("down/#")]),
        ];
        for packet in packets {
            let mut bytes = bytes::BytesMut::new();
            Codec::new(0, 0).encode(packet, &mut bytes).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let mut short = bytes.clone();
            short.truncate(cut % bytes.len());
            for mut input in [bytes, short] {
                let mut codec = Codec::new(link_protocol::MAX_PACKET as u32, 0);
                while let Ok(Some(_)) = codec.decode(&mut input) {}
            }
        }
    }
}
