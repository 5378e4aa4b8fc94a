//! Every dialect at the desk: transcripts, commands, silence, and any bytes in any chunks.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{
    Command as ScaleCommand, Event, State,
    adam::Adam,
    cas::{CasPd, CasStream},
    desk::{Desk, Dialect},
    dialog_06::Dialog06,
    mt_sics::MtSics,
    nci::Nci,
};
use crate::{
    device::{Command, CommandId, Condition, DeviceEvent, Fault, Outcome, Reason, Value},
    runner::{Action, Input, Protocol},
    setting::Options,
};

/// Drives a desk with a clock of its own.
struct Bench<D> {
    desk: Desk<D>,
    now: Instant,
    out: Vec<Action>,
}

impl<D: Dialect> Bench<D> {
    fn new(dialect: D) -> Self {
        let mut bench = Self { desk: Desk::new(dialect), now: Instant::now(), out: Vec::new() };
        bench.step(Input::Started);
        bench
    }

    fn step(&mut self, input: Input<'_>) {
        self.desk.step(self.now, input, &mut self.out).unwrap();
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.step(Input::Bytes(bytes));
    }

    fn command(&mut self, id: &str, command: ScaleCommand, ms: u64) {
        let before = self.now + Duration::from_millis(ms);
        self.step(Input::Command { id: CommandId(id.into()), command: Command::Scale(command), before });
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(at) = self.desk.wake().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step(Input::Deadline);
        }
        self.now = until;
    }

    fn transcript(&mut self) -> String {
        show(&std::mem::take(&mut self.out))
    }
}

fn show(actions: &[Action]) -> String {
    let lines = actions.iter().filter(|a| !matches!(a, Action::Deadline(_))).map(|action| match action {
        Action::Write(bytes) => format!("> {}", bytes.escape_ascii()),
        Action::Emit(DeviceEvent::Scale(Event::Reading(r))) => match &r.weight {
            Some(w) => format!("  {:?} {} {:?}{}", r.state, w.digits, w.unit, if w.net { " net" } else { "" }),
            None => format!("  {:?}", r.state),
        },
        Action::Reply(id, Outcome::Done(Value::Weight(w))) => format!("  {} is {} {:?}", id.0, w.digits, w.unit),
        Action::Reply(id, Outcome::Done(_)) => format!("  {} done", id.0),
        Action::Reply(id, Outcome::Rejected(reason, why)) => format!("  {} refused, {reason:?}: {why}", id.0),
        Action::Reply(id, Outcome::Unknown(why)) => format!("  {} unknown: {why}", id.0),
        Action::Condition(condition) => format!("  {condition:?}"),
        other => format!("  {other:?}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What the scale says, and what the desk makes of it, with as much time after each as a breath takes.
fn conversation<D: Dialect>(dialect: D, says: &[&[u8]], breath_ms: u64) -> String {
    let mut bench = Bench::new(dialect);
    let mut transcript = format!("{}\n", bench.transcript());
    for bytes in says {
        bench.bytes(bytes);
        bench.pass(breath_ms);
        transcript += &format!("< {}\n{}\n", bytes.escape_ascii(), bench.transcript());
    }
    transcript
}

fn sics() -> MtSics {
    MtSics::new(&Options::default(), 9600)
}

fn dialog(options: &Options) -> Dialog06 {
    Dialog06::new(options, "9600 baud, 7 data bits, odd parity".into())
}

fn nci() -> Nci {
    Nci::new("9600 baud, 7 data bits, even parity".into())
}

#[test]
fn mt_sics_streams_and_tells_rest_motion_and_range() {
    insta::assert_snapshot!(conversation(
        sics(),
        &[
            b"TA A       0.00 g\r\n",
            b"S D       1.50 g\r\n",
            b"S S     100.00 g\r\n",
            b"S S     100.00 g\r\n",
            b"S S       0.00 g\r\n",
            b"S S      -5.00 g\r\n",
            b"S +\r\n",
            b"S -\r\n",
            b"S S      0.500 ct\r\n",
            b"S S      1.500 kg\r\n",
        ],
        3,
    ));
}

#[test]
fn mt_sics_of_the_lowest_level_is_asked_one_by_one() {
    insta::assert_snapshot!(conversation(
        sics(),
        &[b"ES\r\n", b"ES\r\n", b"S S     1.000 kg\r\n", b"S D     1.1 kg\r\n"],
        3
    ));
}

#[test]
fn mt_sics_tares_weighs_net_and_zeroes_with_the_tare_cleared() {
    let mut bench = Bench::new(sics());
    bench.bytes(b"TA A 0.00 g\r\n");
    bench.pass(3);
    bench.bytes(b"S S 20.00 g\r\n");
    bench.out.clear();
    bench.command("t", ScaleCommand::Tare, 500);
    bench.bytes(b"S S 20.00 g\r\nT S 20.00 g\r\n");
    bench.pass(3);
    bench.bytes(b"S S 0.00 g\r\n");
    bench.command("z", ScaleCommand::Zero, 500);
    bench.bytes(b"TAC A\r\nZ A\r\n");
    bench.pass(3);
    bench.bytes(b"TA A 0.00 g\r\n");
    bench.pass(3);
    bench.bytes(b"S S 0.00 g\r\n");
    bench.command("z2", ScaleCommand::Zero, 500);
    bench.bytes(b"Z I\r\n");
    bench.pass(3);
    insta::assert_snapshot!(bench.transcript());
}

#[test]
fn dialog_06_weighs_proves_itself_and_says_why_there_is_no_weight() {
    let with_polynomial = Options::from([("polynomial", "11021")]);
    insta::assert_snapshot!(conversation(
        dialog(&with_polynomial),
        &[
            b"\x0211\x1b247\x03",
            b"\x06",
            b"\x0211\x1b1\x03",
            b"\x06",
            b"\x0202\x1b3\x1b01234\x1b000001\x1b000001\x03",
            b"\x06",
            b"\x15",
            b"\x0209\x1b21\x03",
            b"\x06",
            b"\x15",
            b"\x0209\x1b20\x03",
            b"\x15",
            b"\x0209\x1b32\x03",
        ],
        51,
    ));
}

#[test]
fn dialog_06_without_its_polynomial_says_what_to_type() {
    let transcript = conversation(dialog(&Options::default()), &[b"\x0211\x1b247\x03"], 51);
    assert!(transcript.contains("type the polynomial"), "{transcript}");
}

/// A block with its check character.
fn block(body: &[u8]) -> Vec<u8> {
    let bcc = body.iter().fold(0, |sum, b| sum ^ b);
    [b"\x01\x02", body, &[bcc, 0x03, 0x04]].concat()
}

#[test]
fn cas_pd_checks_every_block() {
    let mut torn = block(b"S 01.234kg");
    torn[4] = b'9';
    insta::assert_snapshot!(conversation(
        CasPd::new(9600),
        &[
            b"\x06",
            &block(b"S 01.234kg"),
            b"\x06",
            &block(b"U 02.000kg"),
            b"\x06",
            &block(b"S-00.100kg"),
            b"\x06",
            &block(b"UFFFFFFFkg"),
            b"\x15",
            b"\x06",
            &torn,
        ],
        3,
    ));
}

#[test]
fn cas_and_a_and_d_streams_are_heard_without_being_asked() {
    insta::assert_snapshot!(conversation(
        CasStream::new(9600),
        &[
            b"ST,GS,1\xc1,  13.500 kg\r\n",
            b"US,GS,1\x81,  14.000 kg\r\n",
            b"ST,NT,1\xc2,-  0.500 kg\r\n",
            b"OL,GS,1\x81,         kg\r\n",
            b"ST,GS,+0001.234kg\r\n",
            b"QT,GS,+0000005 g\r\n",
            b"nonsense\r\n",
        ],
        3,
    ));
}

#[test]
fn nci_tells_its_status_bits() {
    insta::assert_snapshot!(conversation(
        nci(),
        &[
            b"\n001.234KG\r\n0p1\r\x03",
            b"\n000.000KG\r\n2p1\r\x03",
            b"\n001.500KG\r\n1p1\r\x03",
            b"\n000.500lb\r\nS0p4\r\x03",
            b"\n^^^^^^KG\r\n0r1\r\x03",
            b"\n______KG\r\n0q1\r\x03",
            b"\n------KG\r\n0p9\r\x03",
            b"\n1p1\r\x03",
            b"\n000.000KG\r\n4p1\r\x03",
        ],
        3,
    ));
}

#[test]
fn adam_counts_a_weight_as_at_rest_when_it_came_twice() {
    insta::assert_snapshot!(conversation(
        Adam::new(&Options::default(), 4800),
        &[
            b"+    1.20 kg\r\n",
            b"+    1.20 kg\r\n",
            b"N +  1.00 kg\r\n",
            b"ST,GS,  0.500 kg\r\n",
            b"-  0.10 kg\r\n",
            b"Date 1/1\r\n"
        ],
        501,
    ));
}

#[test]
fn adam_proves_a_tare_by_what_it_shows_afterwards() {
    let mut bench = Bench::new(Adam::new(&Options::default(), 4800));
    bench.bytes(b"+ 1.20 kg\r\n");
    bench.command("t", ScaleCommand::Tare, 500);
    bench.pass(1000);
    bench.bytes(b"+ 0.00 kg\r\n");
    bench.pass(500);
    bench.bytes(b"+ 0.00 kg\r\n");
    bench.pass(500);
    bench.bytes(b"+ 0.30 kg\r\n");
    bench.command("z", ScaleCommand::Zero, 500);
    for _ in 0..3 {
        bench.pass(1000);
        bench.bytes(b"+ 0.30 kg\r\n");
    }
    insta::assert_snapshot!(bench.transcript());
}

#[test]
fn what_a_scale_cannot_do_over_its_cable_is_said_at_once() {
    let mut bench = Bench::new(CasStream::new(9600));
    bench.bytes(b"ST,GS,+0001.234kg\r\n");
    bench.out.clear();
    bench.command("z", ScaleCommand::Zero, 500);
    assert!(
        matches!(&bench.out[0], Action::Reply(_, Outcome::Rejected(Reason::Unsupported, why)) if why.contains("key"))
    );
}

#[test]
fn a_silent_scale_is_said_so_and_a_read_ends_in_time() {
    let mut bench = Bench::new(sics());
    bench.command("r", ScaleCommand::Read, 800);
    bench.pass(1600);
    assert!(bench.out.iter().any(
        |a| matches!(a, Action::Condition(Condition::Error(Fault::Silent, why)) if why.contains("MT-SICS, 9600 baud"))
    ));
    bench.bytes(b"TA A 0 g\r\n");
    bench.pass(3);
    bench.bytes(b"S S 1.0 g\r\n");
    assert!(bench.out.contains(&Action::Condition(Condition::Ready)));
}

#[test]
fn everything_is_answered_when_the_cable_comes_out() {
    let mut bench = Bench::new(nci());
    bench.bytes(b"\n001.234KG\r\n1p1\r\x03");
    bench.command("t", ScaleCommand::Tare, 500);
    bench.command("z", ScaleCommand::Zero, 500);
    bench.command("r", ScaleCommand::Read, 500);
    bench.step(Input::Closed);
    let ids: Vec<_> =
        bench.out.iter().filter_map(|a| if let Action::Reply(id, _) = a { Some(&*id.0) } else { None }).collect();
    assert_eq!(ids, ["t", "r", "z"]);
}

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&'static [u8]; 17] = [
        b"\x02",
        b"\x03",
        b"\x04",
        b"\x06",
        b"\x15",
        b"\x1b",
        b"\r",
        b"\n",
        b"S S 1.00 g\r\n",
        b"ES\r\n",
        b"T S 1 g\r\n",
        b"\x0202\x1b3\x1b01234\x1b000001\x1b000001\x03",
        b"\x0211\x1b247\x03",
        b"\x0209\x1b20\x03",
        b"ST,GS,+0001.234kg\r\n",
        b"\n001.234KG\r\n0p1\r\x03",
        b"\x01\x02S 01.234kg",
    ];
    let piece =
        prop_oneof![any::<u8>().prop_map(|b| vec![b]), prop::sample::select(pieces.to_vec()).prop_map(<[u8]>::to_vec),];
    prop::collection::vec(piece, 0..50).prop_map(|pieces| pieces.concat())
}

fn same_in_any_chunks<D: Dialect>(make: fn() -> D, soup: &[u8], cuts: &[usize]) {
    let mut whole = Bench::new(make());
    whole.bytes(soup);
    let mut parts = Bench::new(make());
    parts.now = whole.now;
    let (mut rest, mut cuts) = (soup, cuts.iter().cycle());
    while !rest.is_empty() {
        let (head, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        parts.bytes(head);
        rest = tail;
    }
    assert_eq!(show(&whole.out), show(&parts.out));
    parts.command("z", ScaleCommand::Zero, 100);
    parts.bytes(soup);
    parts.pass(20_000);
    parts.step(Input::Closed);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn any_bytes_in_any_chunks_give_the_same_output(soup in soup(), cuts in prop::collection::vec(1usize..9, 1..100)) {
        same_in_any_chunks(sics, &soup, &cuts);
        same_in_any_chunks(|| dialog(&Options::from([("polynomial", "1021")])), &soup, &cuts);
        same_in_any_chunks(|| CasPd::new(9600), &soup, &cuts);
        same_in_any_chunks(|| CasStream::new(9600), &soup, &cuts);
        same_in_any_chunks(nci, &soup, &cuts);
        same_in_any_chunks(|| Adam::new(&Options::default(), 4800), &soup, &cuts);
    }
}

#[test]
fn a_negative_weight_is_under_zero_and_nothing_is_sold_by_it() {
    let mut bench = Bench::new(CasStream::new(9600));
    bench.command("r", ScaleCommand::Read, 500);
    bench.bytes(b"ST,NT,-0000.500kg\r\n");
    assert!(bench.out.iter().any(
        |a| matches!(a, Action::Emit(DeviceEvent::Scale(Event::Reading(r))) if r.state == State::UnderZero && r.weight.is_some())
    ));
    bench.pass(600);
    assert!(bench.out.iter().any(|a| matches!(a, Action::Reply(_, Outcome::Rejected(Reason::Unstable, _)))));
}
