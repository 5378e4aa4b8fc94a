use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{
    Command as GaugeCommand, Event,
    keyboard::KeyboardGauge,
    serial::{Format, SerialGauge},
};
use crate::{
    device::{Command, CommandId, DeviceEvent, Outcome, Value},
    io::evdev::Record,
    runner::{Action, Input, Protocol},
    setting::Options,
};

fn show(actions: &[Action]) -> String {
    let lines = actions.iter().filter(|a| !matches!(a, Action::Deadline(_))).map(|action| match action {
        Action::Write(bytes) => format!("> {}", bytes.escape_ascii()),
        Action::Emit(DeviceEvent::Gauge(Event::Measured(m))) => {
            format!("  {} {:?} by {}", m.digits, m.unit, m.resolution.as_deref().unwrap_or("?"))
        }
        Action::Reply(id, Outcome::Done(Value::Measurement(m))) => format!("  {} is {} {:?}", id.0, m.digits, m.unit),
        Action::Reply(id, Outcome::Rejected(reason, why)) => format!("  {} refused, {reason:?}: {why}", id.0),
        other => format!("  {other:?}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

struct Bench<P> {
    gauge: P,
    now: Instant,
    out: Vec<Action>,
}

impl<P: Protocol> Bench<P> {
    fn new(gauge: P) -> Self {
        let mut bench = Self { gauge, now: Instant::now(), out: Vec::new() };
        bench.step(Input::Started);
        bench
    }

    fn step(&mut self, input: Input<'_>) {
        self.gauge.step(self.now, input, &mut self.out).unwrap();
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.step(Input::Bytes(bytes));
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.step(Input::Deadline);
    }

    fn measure(&mut self, id: &str, ms: u64) {
        let before = self.now + Duration::from_millis(ms);
        self.step(Input::Command { id: CommandId(id.into()), command: Command::Gauge(GaugeCommand::Read), before });
    }
}

#[test]
fn a_sylvac_tool_says_its_unit_its_value_and_its_faults() {
    let mut bench = Bench::new(SerialGauge::new(Format::Sylvac, &Options::default()));
    bench.bytes(b"MM\r");
    bench.bytes(b"+012.34\r-0.001=\r");
    bench.measure("m", 2000);
    bench.pass(600);
    bench.bytes(b"+  5.00\r");
    bench.measure("n", 2000);
    bench.bytes(b"ERR3\r");
    bench.bytes(b"IN\r+0.1234\r");
    bench.measure("o", 500);
    bench.pass(500);
    insta::assert_snapshot!(show(&bench.out));
}

#[test]
fn a_tool_that_only_sends_answers_the_unit_with_a_value_that_nobody_took() {
    let mut bench = Bench::new(SerialGauge::new(Format::Sylvac, &Options::default()));
    bench.bytes(b"+012.34\r");
    assert!(!show(&bench.out).contains("12.34"));
    bench.bytes(b"+012.34\r");
    assert!(show(&bench.out).contains("12.34 Unknown by 0.01"));
}

#[test]
fn a_mitutoyo_tool_sends_by_its_key_and_unit_and_resolution_are_settings() {
    let options = Options::from([("unit", "inch"), ("resolution", "0.00005"), ("request", "1")]);
    let mut bench = Bench::new(SerialGauge::new(Format::Mitutoyo, &options));
    bench.bytes(b"01A+00.12345\r01A-0000.123\r911\rnonsense\r01A+000.1234\r");
    bench.measure("m", 1000);
    bench.bytes(b"01A+000.5000\r");
    insta::assert_snapshot!(show(&bench.out));
}

fn typed(gauge: &mut Bench<KeyboardGauge>, codes: &[u16]) {
    for &code in codes {
        for value in [1, 0] {
            gauge.bytes(&Record { kind: 1, code, value }.to_bytes());
        }
    }
}

#[test]
fn a_tool_that_types_is_read_at_enter_or_after_a_pause() {
    let mut bench = Bench::new(KeyboardGauge::new(&Options::from([("unit", "mm"), ("layout", "de")])));
    // - 1 2 , 3 4 Enter; then the same digits without an end; then letters.
    typed(&mut bench, &[53, 2, 3, 51, 4, 5, 28]);
    typed(&mut bench, &[2, 51, 3]);
    bench.pass(300);
    typed(&mut bench, &[30, 28]);
    bench.measure("m", 1000);
    typed(&mut bench, &[2, 52, 3, 28]);
    insta::assert_snapshot!(show(&bench.out));
}

#[test]
fn numbers_are_canonical_or_none() {
    for (text, number) in [
        ("+0000.123", "0.123"),
        (" - 5.00", "-5.00"),
        ("12,5", "12.5"),
        (".5", "0.5"),
        ("7", "7"),
        ("-0.00", "0.00"),
        ("5.", "5"),
    ] {
        assert_eq!(super::digits(text).as_deref(), Some(number), "{text}");
    }
    for no in ["", "+", ".", "1.2.3", "1,2,3", "abc", "1e5", "0x1", "--1"] {
        assert_eq!(super::digits(no), None, "{no}");
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_chunks_give_the_same_values(
        soup in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'+'), b'0'..=b'9'], 0..300),
        cuts in prop::collection::vec(1usize..9, 1..50),
    ) {
        for format in [Format::Sylvac, Format::Mitutoyo] {
            let make = || SerialGauge::new(format, &Options::default());
            let (mut whole, mut parts) = (Bench::new(make()), Bench::new(make()));
            parts.now = whole.now;
            whole.now += Duration::from_secs(5);
            parts.now = whole.now;
            whole.bytes(&soup);
            let (mut rest, mut cuts) = (&soup[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (head, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                parts.bytes(head);
                rest = tail;
            }
            prop_assert_eq!(show(&whole.out), show(&parts.out));
        }
        let mut typing = Bench::new(KeyboardGauge::new(&Options::default()));
        typing.bytes(&soup);
    }
}
