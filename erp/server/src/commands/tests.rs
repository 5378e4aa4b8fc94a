use link_protocol::{
    document::Document,
    outcome::{PrintCertainty, Value},
    up::CommandResult,
};
use rmqtt_codec::v5::Packet;

use super::*;
use crate::{
    hub::tests::publish,
    testing::{TestBox, TestServer, TestWire},
};

fn print(title: &str) -> CommandBody {
    CommandBody::Print {
        document: Document { title: title.into(), blocks: vec![], cut: true, open_drawer: false, hold: false },
    }
}

fn id(text: &str) -> Option<CommandId> {
    Some(text.parse().unwrap())
}

async fn issue(
    server: &TestServer,
    it: &TestBox,
    body: CommandBody,
    ttl_ms: u64,
    name: &str,
) -> Result<CommandId, ServiceError> {
    let device: DeviceId = "printer-1".parse().unwrap();
    server
        .state
        .commands
        .issue(server.cashier, &it.box_id, &device, body, Duration::from_millis(ttl_ms), id(name))
        .await
}

async fn received(wire: &mut TestWire, it: &TestBox) -> Command {
    loop {
        match wire.next().await {
            Some(Packet::Publish(p)) if *p.topic == *it.topic("down/commands") => {
                assert!(p.properties.unwrap().message_expiry_interval.is_some());
                return serde_json::from_slice(&p.payload).unwrap();
            }
            Some(_) => {}
            None => panic!("the connection ended"),
        }
    }
}

async fn answer(wire: &mut TestWire, it: &TestBox, packet: u16, id: &CommandId, outcome: Outcome) {
    let result = CommandResult { v: 1, id: id.clone(), outcome };
    wire.send(publish(&it.topic("up/results"), packet, serde_json::to_vec(&result).unwrap())).await;
}

fn printed() -> Outcome {
    Outcome::Done { value: Value::Print { certainty: PrintCertainty::Printed } }
}

async fn a_command_goes_to_the_box_and_its_outcome_comes_back(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let (mut wire, _) = it.session(server.address).await;
    let id = issue(&server, &it, print("Receipt"), 20_000, "command-1").await.unwrap();
    let command = received(&mut wire, &it).await;
    assert_eq!((command.id.clone(), command.ttl_ms), (id.clone(), 20_000));
    let status = server.state.commands.outcome(server.cashier, &id).await.unwrap();
    assert_eq!((status.state, status.title.as_str()), (CommandState::Sent, "Receipt"));
    let waiting = tokio::spawn({
        let (commands, uid, id) = (server.state.commands.clone(), server.cashier, id.clone());
        async move { commands.wait(uid, &id, Duration::from_secs(20)).await }
    });
    answer(&mut wire, &it, 1, &id, printed()).await;
    let status = waiting.await.unwrap().unwrap();
    assert_eq!((status.state, status.outcome), (CommandState::Done, Some(printed())));
    // A result that comes again, or another one, changes nothing.
    answer(&mut wire, &it, 2, &id, Outcome::Unknown { message: "?".into() }).await;
    let Some(Packet::PublishAck(_)) = wire.next().await else { panic!() };
    assert_eq!(server.state.commands.outcome(server.cashier, &id).await.unwrap().state, CommandState::Done);
}

async fn the_same_wish_again_is_the_same_command_and_another_wish_is_refused(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let (mut wire, _) = it.session(server.address).await;
    let first = issue(&server, &it, print("A"), 20_000, "command-1").await.unwrap();
    assert_eq!(issue(&server, &it, print("A"), 20_000, "command-1").await.unwrap(), first);
    let other = issue(&server, &it, print("B"), 20_000, "command-1").await.unwrap_err();
    assert!(matches!(other, ServiceError::Conflict(_)), "{other}");
    issue(&server, &it, CommandBody::OpenDrawer, 20_000, "command-2").await.unwrap();
    assert_eq!(received(&mut wire, &it).await.id, first);
    assert_eq!(received(&mut wire, &it).await.id.as_str(), "command-2", "the repeat was not sent");
    assert_eq!(server.count("iot.command").await, 2);
}

async fn a_command_waits_for_its_box_while_it_is_in_time_and_is_handed_over_again(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let id = issue(&server, &it, print("A"), 60_000, "command-1").await.unwrap();
    assert_eq!(server.state.commands.outcome(server.admin, &id).await.unwrap().state, CommandState::Waiting);
    let (mut wire, _) = it.session(server.address).await;
    assert_eq!(received(&mut wire, &it).await.id, id);
    drop(wire);
    let (mut wire, _) = it.session(server.address).await;
    assert_eq!(received(&mut wire, &it).await.id, id, "no result yet: the box gets it again");
    answer(&mut wire, &it, 1, &id, printed()).await;
    let status = server.state.commands.wait(server.admin, &id, Duration::from_secs(20)).await.unwrap();
    assert_eq!(status.state, CommandState::Done);
}

async fn past_its_deadline_a_command_is_rejected_if_nobody_got_it_and_unknown_if_somebody_did(server: TestServer) {
    let (here, away) = (server.paired_box("Here").await, server.paired_box("Away").await);
    let (mut wire, _) = here.session(server.address).await;
    let never = issue(&server, &away, print("A"), 200, "command-1").await.unwrap();
    let lost = issue(&server, &here, print("B"), 200, "command-2").await.unwrap();
    received(&mut wire, &here).await;
    drop(wire);
    let status = server.state.commands.wait(server.admin, &never, Duration::from_secs(20)).await.unwrap();
    assert!(matches!(status.outcome, Some(Outcome::Rejected { reason: Reason::Expired, .. })), "{status:?}");
    let status = server.state.commands.wait(server.admin, &lost, Duration::from_secs(20)).await.unwrap();
    assert!(matches!(status.outcome, Some(Outcome::Unknown { .. })), "{status:?}");
    // It comes back and knows better.
    let (mut wire, _) = here.session(server.address).await;
    let mut bus = server.state.bus.subscribe();
    answer(&mut wire, &here, 1, &lost, printed()).await;
    loop {
        if let BusMessage::Outcome { state, .. } = bus.recv().await.unwrap() {
            assert_eq!(state, CommandState::Done);
            return;
        }
    }
}

async fn an_unpaired_box_gets_no_commands(server: TestServer) {
    let it = server.paired_box("Shop").await;
    server.state.boxes.unpair(server.admin, &it.box_id).await.unwrap();
    let refused = issue(&server, &it, print("A"), 1000, "command-1").await.unwrap_err();
    assert!(matches!(refused, ServiceError::Conflict(_)), "{refused}");
    let nowhere = TestBox::new("x");
    let refused = issue(&server, &nowhere, print("A"), 1000, "command-1").await.unwrap_err();
    assert!(matches!(refused, ServiceError::NotFound(_)), "{refused}");
}

/// A box that comes just after it was asked for the first time.
#[derive(Debug, Default)]
struct JustComing {
    asked: std::sync::atomic::AtomicBool,
    got: std::sync::Mutex<Vec<&'static str>>,
}

impl Link for JustComing {
    fn publish(&self, _: &BoxId, leaf: &'static str, _: bytes::Bytes, _: Option<Duration>) -> Result<(), PublishError> {
        self.got.lock().unwrap().push(leaf);
        Ok(())
    }
    fn kick(&self, _: &BoxId, _: crate::hub::Kick) {}
    fn is_connected(&self, _: &BoxId) -> bool {
        self.asked.swap(true, std::sync::atomic::Ordering::Relaxed)
    }
}

async fn a_box_that_comes_while_a_command_is_stored_gets_it(server: TestServer) {
    let it = server.paired_box("Shop").await;
    let link = Arc::new(JustComing::default());
    let commands = Commands::new(server.state.engine.clone(), link.clone(), server.state.bus.clone());
    let (device, ttl) = ("printer-1".parse().unwrap(), Duration::from_secs(10));
    let id = commands.issue(server.cashier, &it.box_id, &device, print("a"), ttl, id("command-1")).await.unwrap();
    assert_eq!(*link.got.lock().unwrap(), [topic::COMMANDS]);
    assert_eq!(commands.outcome(server.cashier, &id).await.unwrap().state, CommandState::Sent);
}

crate::testing::on_both!(
    a_command_goes_to_the_box_and_its_outcome_comes_back,
    the_same_wish_again_is_the_same_command_and_another_wish_is_refused,
    a_command_waits_for_its_box_while_it_is_in_time_and_is_handed_over_again,
    past_its_deadline_a_command_is_rejected_if_nobody_got_it_and_unknown_if_somebody_did,
    a_box_that_comes_while_a_command_is_stored_gets_it,
    an_unpaired_box_gets_no_commands,
);
