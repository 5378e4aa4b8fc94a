use proptest::prelude::*;

use super::*;

/// Drives the protocol with a clock of its own.
struct Bench {
    protocol: Protocol8217,
    now: Instant,
    out: Vec<Action>,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self { protocol: Protocol8217::new(Settings::default()), now: Instant::now(), out: Vec::new() };
        bench.step(Input::Started);
        bench
    }

    fn step(&mut self, input: Input<'_>) {
        self.protocol.step(self.now, input, &mut self.out).unwrap();
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.step(Input::Bytes(bytes));
    }

    fn command(&mut self, id: &str, command: ScaleCommand, ms: u64) {
        let before = self.now + Duration::from_millis(ms);
        self.step(Input::Command { id: CommandId(id.into()), command: Command::Scale(command), before });
    }

    /// Lets time pass, waking the protocol when it asked for it.
    fn pass(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(at) = self.protocol.wake().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step(Input::Deadline);
        }
        self.now = until;
    }

    fn readings(&mut self) -> Vec<(State, Option<String>)> {
        let out = std::mem::take(&mut self.out);
        out.into_iter()
            .filter_map(|a| match a {
                Action::Emit(DeviceEvent::Scale(Event::Reading(r))) => Some((
                    r.state,
                    r.weight.map(|w| format!("{} {:?}{}", w.digits, w.unit, if w.net { " net" } else { "" })),
                )),
                _ => None,
            })
            .collect()
    }

    fn replies(&mut self) -> Vec<(String, Outcome)> {
        let out = std::mem::take(&mut self.out);
        out.into_iter()
            .filter_map(|a| if let Action::Reply(id, outcome) = a { Some((id.0.to_string(), outcome)) } else { None })
            .collect()
    }

    fn written(&mut self) -> Vec<u8> {
        let out = std::mem::take(&mut self.out);
        out.into_iter().filter_map(|a| if let Action::Write(b) = a { Some(b) } else { None }).flatten().collect()
    }
}

fn show(actions: &[Action]) -> String {
    let lines = actions.iter().filter(|a| !matches!(a, Action::Deadline(_))).map(|a| match a {
        Action::Write(bytes) => format!("> {}", String::from_utf8_lossy(bytes)),
        Action::Emit(DeviceEvent::Scale(Event::Reading(r))) => format!("  {r:?}"),
        other => format!("  {other:?}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_item_is_put_down_and_taken_away() {
    let mut bench = Bench::new();
    let mut transcript = String::new();
    for answer in [
        "\x0200.000\r",
        "\x02?A\r",
        "\x02?A\r",
        "\x0201.234\r",
        "\x0201.234\r",
        "\x02 0.450N\r",
        "\x02?D\r",
        "\x02?P\r",
    ] {
        bench.bytes(answer.as_bytes());
        bench.pass(2);
        transcript += &format!("< {answer:?}\n{}\n", show(&std::mem::take(&mut bench.out)));
    }
    insta::assert_snapshot!(transcript);
}

#[test]
fn every_status_bit_means_what_the_manual_says() {
    let state = |byte| Status::from_byte(byte).unwrap().state();
    assert_eq!(state(0b0100_0001), Some(State::Motion));
    assert_eq!(state(0b0100_0010), Some(State::OverCapacity));
    assert_eq!(state(0b0100_0011), Some(State::OverCapacity));
    assert_eq!(state(0b0100_0100), Some(State::UnderZero));
    assert_eq!(state(0b0100_1000), Some(State::ZeroRange));
    assert_eq!(state(0b0101_0000), Some(State::Zero), "centre of zero is no error");
    assert_eq!(state(0b0110_0000), None, "net is no error");
    assert_eq!(state(0b0100_0000), None, "bit 6 says nothing");
    assert_eq!(state(0b1100_0001), Some(State::Motion), "bit 7 is parity");
    assert_eq!(Status::from_byte(0b0000_0001), None, "bit 6 is always 1");
}

#[test]
fn the_next_question_follows_the_answer_at_once() {
    let mut bench = Bench::new();
    assert_eq!(bench.written(), b"W");
    bench.bytes(b"\x0200.100\r");
    bench.pass(1);
    assert_eq!(bench.written(), b"W");
}

#[test]
fn two_decimals_are_pounds_and_three_kilograms_unless_a_person_said_otherwise() {
    let mut bench = Bench::new();
    bench.bytes(b"\x0212.34\r\x0212.340\r");
    assert_eq!(bench.readings(), [(State::Stable, Some("12.34 Lb".into())), (State::Stable, Some("12.340 Kg".into()))]);
    let mut bench = Bench::new();
    bench.protocol.settings.unit = Some(Unit::Kg);
    bench.bytes(b"\x0212.34\r");
    assert_eq!(bench.readings(), [(State::Stable, Some("12.34 Kg".into()))]);
}

#[test]
fn a_scale_that_never_answers_is_silent_after_a_second_and_asked_on() {
    let mut bench = Bench::new();
    bench.pass(999);
    assert!(bench.readings().is_empty());
    bench.pass(1);
    assert!(bench.out.iter().any(|a| matches!(a, Action::Condition(Condition::Error(Fault::Silent, _)))));
    assert_eq!(bench.readings(), [(State::Silent, None)]);
    bench.pass(3000);
    assert!(bench.written().len() >= 9);
    bench.bytes(b"\x0200.100\r");
    assert!(bench.out.contains(&Action::Condition(Condition::Ready)));
    assert_eq!(bench.readings(), [(State::Stable, Some("0.100 Kg".into()))]);
}

#[test]
fn garbage_counts_as_a_fault_only_when_it_lasts() {
    let mut bench = Bench::new();
    bench.bytes(b"\xff\x00garbage garbage garbage\r\x02zzz\r\x0200.100\r");
    assert!(!bench.out.iter().any(|a| matches!(a, Action::Condition(Condition::Error(..)))));
    bench.out.clear();
    for _ in 0..12 {
        bench.pass(100);
        bench.bytes(b"\x02zzz\r");
    }
    assert!(bench.out.iter().any(|a| matches!(a, Action::Condition(Condition::Error(Fault::Garbled, _)))));
}

#[test]
fn a_read_takes_the_next_stable_weight() {
    let mut bench = Bench::new();
    bench.command("r", ScaleCommand::Read, 500);
    bench.bytes(b"\x02?A\r");
    assert!(bench.replies().is_empty());
    bench.bytes(b"\x0200.500\r");
    let weight = Weight { digits: "0.500".into(), unit: Unit::Kg, net: false };
    assert_eq!(bench.replies(), [("r".to_owned(), Outcome::Done(Value::Weight(weight)))]);
}

#[test]
fn a_read_that_finds_no_rest_is_unstable_and_one_that_finds_no_scale_is_offline() {
    let mut bench = Bench::new();
    bench.command("r", ScaleCommand::Read, 400);
    for _ in 0..10 {
        bench.bytes(b"\x02?A\r");
        bench.pass(50);
    }
    assert!(matches!(&bench.replies()[..], [(_, Outcome::Rejected(Reason::Unstable, _))]));
    let mut bench = Bench::new();
    bench.command("r", ScaleCommand::Read, 400);
    bench.pass(400);
    assert!(matches!(&bench.replies()[..], [(_, Outcome::Rejected(Reason::Offline, _))]));
}

#[test]
fn zero_waits_for_the_answer_under_way_and_tells_why_it_was_refused() {
    let mut bench = Bench::new();
    bench.out.clear();
    bench.command("z", ScaleCommand::Zero, 500);
    assert!(bench.written().is_empty());
    bench.bytes(b"\x0200.500\r");
    bench.pass(1);
    assert_eq!(bench.written(), b"Z");
    bench.bytes(b"\x02?A\r");
    assert!(matches!(&bench.replies()[..], [(_, Outcome::Rejected(Reason::Unstable, _))]));
    bench.command("t", ScaleCommand::Tare, 500);
    assert_eq!(bench.written(), b"T");
    // Outside the zero range, as a load is, and net.
    bench.bytes(b"\x02?h\r");
    assert_eq!(bench.replies(), [("t".to_owned(), Outcome::Done(Value::Nothing))]);
    bench.pass(1);
    bench.bytes(b"\x0200.000N\r");
    bench.command("t2", ScaleCommand::Tare, 500);
    bench.bytes(b"\x02?P\r");
    assert!(matches!(&bench.replies()[..], [(_, Outcome::Rejected(Reason::DeviceError, _))]), "nothing to tare");
}

#[test]
fn zero_clears_a_tare_first() {
    let mut bench = Bench::new();
    bench.out.clear();
    bench.bytes(b"\x02?d\r");
    bench.command("z", ScaleCommand::Zero, 500);
    assert_eq!(bench.written(), b"C");
    bench.bytes(b"\x02?P\r");
    assert!(bench.out.iter().all(|a| !matches!(a, Action::Reply(..))));
    assert_eq!(bench.written(), b"Z");
    bench.bytes(b"\x02?P\r");
    assert_eq!(bench.replies(), [("z".to_owned(), Outcome::Done(Value::Nothing))]);
}

#[test]
fn a_tare_without_an_answer_is_unknown() {
    let mut bench = Bench::new();
    bench.bytes(b"\x0200.500\r");
    bench.command("t", ScaleCommand::Tare, 500);
    bench.pass(1000);
    assert!(matches!(&bench.replies()[..], [(_, Outcome::Unknown(_))]));
}

#[test]
fn everything_is_answered_when_the_cable_comes_out() {
    let mut bench = Bench::new();
    bench.bytes(b"\x0200.500\r");
    bench.command("t", ScaleCommand::Tare, 500);
    bench.command("z", ScaleCommand::Zero, 500);
    bench.command("r", ScaleCommand::Read, 500);
    bench.step(Input::Closed);
    let replies = bench.replies();
    assert!(matches!(&replies[0], (id, Outcome::Unknown(_)) if id == "t"));
    assert!(matches!(&replies[1], (id, Outcome::Rejected(Reason::Offline, _)) if id == "r"));
    assert!(matches!(&replies[2], (id, Outcome::Rejected(Reason::Offline, _)) if id == "z"));
}

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|b| vec![b]),
        Just(b"\x02".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\x02?A\r".to_vec()),
        Just(b"\x0200.123\r".to_vec()),
        Just(b"\x02 1.5".to_vec()),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_in_any_chunks_give_the_same_output_and_the_next_answer_counts(
        soup in soup(),
        cuts in prop::collection::vec(1usize..9, 1..200),
    ) {
        let mut whole = Bench::new();
        whole.bytes(&soup);
        let mut parts = Bench::new();
        parts.now = whole.now;
        let (mut rest, mut cuts) = (&soup[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (head, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            parts.bytes(head);
            rest = tail;
        }
        prop_assert_eq!(show(&whole.out), show(&parts.out));
        whole.out.clear();
        whole.bytes(b"\x0277.777\r");
        prop_assert_eq!(whole.readings(), vec![(State::Stable, Some("77.777 Kg".to_owned()))]);
    }
}
