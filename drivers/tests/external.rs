//! The example of an external driver through its boundary: a real child process.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::{path::Path, time::Duration};

use drivers::{
    Access, Bus, Command, CommandId, Condition, DeviceCtx, DeviceError, DeviceEvent, Outcome, PortId, PortInfo,
    PortKind, Request, Value,
    io::System,
    payment::{self, Act, Amount, Currency, Finding, Link, Order, Question, Setup, Speaks, external},
    registry,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

struct Rig {
    requests: mpsc::Sender<Request>,
    events: mpsc::Receiver<DeviceEvent>,
    condition: watch::Receiver<Condition>,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), DeviceError>>,
}

async fn start(program: &Path) -> Rig {
    let settings = external::Settings { program: program.to_owned(), currency: Currency::EUR, options: Vec::new() };
    let port = PortInfo {
        id: PortId("terminal".into()),
        kind: PortKind::Terminal(Box::new(Setup { speaks: Speaks::External(settings), link: Link::Own })),
        bus: Bus::Network,
        usb: None,
        manufacturer: String::new(),
        product: String::new(),
        serial_number: String::new(),
        access: Access::Ok,
        assigned: None,
        settings: Default::default(),
    };
    let (driver, _) = registry::best(&port).unwrap();
    let device = driver.open(&port, &System).await.unwrap();
    let (requests, request_queue) = mpsc::channel(8);
    let (event_queue, events) = mpsc::channel(8);
    let (condition_in, condition) = watch::channel(Condition::default());
    let cancel = CancellationToken::new();
    let ctx =
        DeviceCtx { requests: request_queue, events: event_queue, condition: condition_in, cancel: cancel.clone() };
    Rig { requests, events, condition, cancel, task: tokio::spawn(device.run(ctx)) }
}

impl Rig {
    async fn ask(&self, id: &str, command: payment::Command) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        let deadline = Instant::now() + Duration::from_secs(10);
        let request = Request { id: CommandId(id.into()), command: Command::Payment(command), deadline, reply };
        self.requests.send(request).await.unwrap();
        timeout(Duration::from_secs(10), outcome).await.unwrap().unwrap()
    }
}

fn example() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/external_terminal.py").canonicalize().unwrap()
}

#[tokio::test]
async fn the_example_pays_and_tells_afterwards_what_it_charged() {
    let mut rig = start(&example()).await;
    timeout(Duration::from_secs(10), rig.condition.wait_for(|c| *c == Condition::Ready)).await.unwrap().unwrap();
    let amount = Amount { minor: 1250, currency: Currency::EUR };
    let order = Order { key: "K000000001".into(), amount, reference: "0042".into(), at_ms: 0 };
    let Outcome::Done(Value::Payment(done)) = rig.ask("pay", payment::Command::Pay(order)).await else { panic!() };
    assert_eq!((done.amount, done.card_last4.as_deref()), (Some(amount), Some("4242")));
    let shown = rig.events.recv().await.unwrap();
    assert!(matches!(shown, DeviceEvent::Payment(payment::Event::Status { .. })), "{shown:?}");
    let ask = |key: &str| {
        let question = Question { key: key.into(), act: Act::Payment, amount: Some(amount), before: None };
        payment::Command::Status(question)
    };
    let found = rig.ask("asked", ask("K000000001")).await;
    assert!(matches!(found, Outcome::Done(Value::Finding(Finding::Charged(_)))), "{found:?}");
    let found = rig.ask("other", ask("K000000002")).await;
    assert!(matches!(found, Outcome::Done(Value::Finding(Finding::NotCharged(_)))), "{found:?}");
    rig.cancel.cancel();
    timeout(Duration::from_secs(10), rig.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_program_that_ends_is_a_device_that_is_gone() {
    let rig = start(Path::new("/bin/true")).await;
    let ended = timeout(Duration::from_secs(10), rig.task).await.unwrap().unwrap();
    assert!(ended.is_err(), "{ended:?}");
}
