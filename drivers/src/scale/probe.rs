//! Finds out which protocol a scale speaks. Only a technician starts it, for one serial port that nothing drives; it
//! never runs by itself.
//!
//! What it takes care of:
//! * It listens first: a scale that speaks by itself is asked nothing.
//! * Before any visible character it asks for a printer's real-time status (`DLE EOT 1`), which every ESC/POS printer
//!   answers at once and no printer prints; if one answers, probing ends.
//! * Visible characters go between `ESC = 2` and `ESC = 1`: an ESC/POS printer that did not answer ignores what is
//!   between them ("Select peripheral device").
//! * No frame of a payment protocol can come of it: those begin with `DLE STX` or are sent over TCP.
//! * Two protocols that both seem to fit are none: a wrong pick is worse than a question to a person.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    adam::looks_printed,
    cas::{CasPd, stream_line},
    desk::{Dialect, Heard},
    nci::Nci,
};
use crate::{
    device::OpenError,
    io::{Channel, Io, Line, Parity},
    port::{PortInfo, PortKind},
    setting::Options,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This driver with these settings.
    Scale(&'static str, Options),
    /// A receipt printer answered: nothing more was sent.
    Printer,
    /// More than one protocol seems to fit: a person has to say which.
    Unclear(Vec<&'static str>),
    Nothing,
}

/// What is sent, and why an answer to it means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// Nothing: it may speak by itself.
    Listen,
    Printer,
    Enq,
    /// After ACK to ENQ.
    Dc1,
    Sics,
    AdamPrint,
    /// `W` CR: 8217 and NCI answer differently.
    Weight,
    /// Dialog 06, record 08: the status.
    Dialog,
}

const PERIPHERAL_OFF: &[u8] = b"\x1b=\x02";
const PERIPHERAL_ON: &[u8] = b"\x1b=\x01";

impl Ask {
    fn bytes(self) -> Vec<u8> {
        let hidden = |text: &[u8]| [PERIPHERAL_OFF, text, PERIPHERAL_ON].concat();
        match self {
            Self::Listen => Vec::new(),
            Self::Printer => vec![0x10, 0x04, 0x01],
            Self::Enq => vec![0x05],
            Self::Dc1 => vec![0x11],
            // The empty line ends whatever the scale makes of the bytes before.
            Self::Sics => hidden(b"\r\nSI\r\n"),
            Self::AdamPrint => hidden(b"\r\nP\r\n"),
            Self::Weight => hidden(b"\rW\r"),
            Self::Dialog => hidden(b"\x04\x0208\x03"),
        }
    }

    /// How long a scale may think.
    fn patience(self) -> Duration {
        Duration::from_millis(match self {
            Self::Listen => 1200,
            Self::Printer | Self::Enq => 200,
            _ => 500,
        })
    }
}

/// One way the line can be set, and what to ask there.
struct Try {
    line: Line,
    framing: &'static str,
    asks: &'static [Ask],
}

const fn line(baud: u32, data_bits: u8, parity: Parity) -> Line {
    Line { baud, data_bits, parity, stop_bits: 1 }
}

/// In this order; drivers' usual settings first.
const TRIES: &[Try] = &[
    Try {
        line: line(9600, 8, Parity::None),
        framing: "8n1",
        asks: &[Ask::Listen, Ask::Printer, Ask::Enq, Ask::Sics, Ask::AdamPrint],
    },
    Try { line: line(9600, 7, Parity::Even), framing: "7e1", asks: &[Ask::Printer, Ask::Weight] },
    Try { line: line(9600, 7, Parity::Odd), framing: "7o1", asks: &[Ask::Printer, Ask::Dialog] },
    Try {
        line: line(4800, 8, Parity::None),
        framing: "8n1",
        asks: &[Ask::Listen, Ask::Printer, Ask::Enq, Ask::AdamPrint],
    },
    Try { line: line(4800, 7, Parity::Odd), framing: "7o1", asks: &[Ask::Printer, Ask::Dialog] },
    Try { line: line(19200, 8, Parity::None), framing: "8n1", asks: &[Ask::Listen, Ask::Printer, Ask::AdamPrint] },
];

/// Takes some ten seconds. The caller sees to it that nothing drives the port.
pub async fn probe(port: &PortInfo, io: &dyn Io) -> Result<Found, OpenError> {
    if !matches!(port.kind, PortKind::Serial { .. }) {
        return Ok(Found::Nothing);
    }
    for attempt in TRIES {
        let mut channel = io.stream(port, attempt.line).await?;
        let mut fits: Vec<&'static str> = Vec::new();
        let mut asks = attempt.asks.iter().copied().collect::<std::collections::VecDeque<_>>();
        while let Some(ask) = asks.pop_front() {
            let answer = exchange(&mut *channel, ask).await;
            match ask {
                Ask::Printer if is_printer(&answer) => return Ok(Found::Printer),
                // Only a block with a right check character counts.
                Ask::Enq if answer == [0x06] => asks.push_front(Ask::Dc1),
                _ => {}
            }
            fits.extend(identify(ask, &answer));
            if ask == Ask::Listen && !fits.is_empty() {
                break;
            }
        }
        fits.dedup();
        match fits[..] {
            [] => {}
            [driver] => {
                let baud = attempt.line.baud.to_string();
                return Ok(Found::Scale(
                    driver,
                    Options::from([("baud", baud.as_str()), ("framing", attempt.framing)]),
                ));
            }
            _ => return Ok(Found::Unclear(fits)),
        }
    }
    Ok(Found::Nothing)
}

/// What comes until it is quiet.
async fn exchange(channel: &mut dyn Channel, ask: Ask) -> Vec<u8> {
    let (mut answer, mut buffer) = (Vec::new(), [0; 256]);
    let bytes = ask.bytes();
    if !bytes.is_empty() && !matches!(tokio::time::timeout(ask.patience(), channel.write_all(&bytes)).await, Ok(Ok(())))
    {
        return answer;
    }
    let mut patience = ask.patience();
    while answer.len() < 512 {
        match tokio::time::timeout(patience, channel.read(&mut buffer)).await {
            Ok(Ok(n)) if n > 0 => answer.extend_from_slice(&buffer[..n]),
            _ => break,
        }
        // A stream does not end; an answer has no longer gaps than this.
        if ask != Ask::Listen {
            patience = Duration::from_millis(120);
        }
        if ask == Ask::Listen && answer.len() >= 80 {
            break;
        }
    }
    answer
}

/// `DLE EOT 1`: bits 0, 4 and 7 are fixed (0, 1, 0) and bit 1 is 1 (ESC/POS reference, "Transmit real-time status").
fn is_printer(answer: &[u8]) -> bool {
    matches!(answer, [status] if status & 0b1001_0011 == 0b0001_0010)
}

/// Which driver understands this answer, by the whole of its grammar.
fn identify(ask: Ask, answer: &[u8]) -> Vec<&'static str> {
    let seven: Vec<u8> = answer.iter().map(|b| b & 0x7f).collect();
    let lines = || answer.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let mut fits = Vec::new();
    match ask {
        Ask::Listen => {
            // The first line may lack its beginning.
            let whole: Vec<_> = lines().skip(1).collect();
            if whole.len() >= 2 && whole[..whole.len() - 1].iter().all(|line| stream_line(line).is_some()) {
                fits.push("scale.cas_stream");
            }
        }
        Ask::Printer | Ask::Enq => {}
        Ask::Dc1 => {
            let mut dialect = CasPd::new(9600);
            let mut heard = Vec::new();
            dialect.question();
            for byte in [&[0x06], answer].concat() {
                dialect.push(byte, None, &mut heard);
            }
            if heard.iter().any(|h| matches!(h, Heard::Shows(..))) && !heard.contains(&Heard::Garbage) {
                fits.push("scale.cas_pd");
            }
        }
        Ask::Sics => {
            let reading = |line: &[u8]| matches!(line.get(..3), Some(b"S S" | b"S D" | b"S +" | b"S -" | b"S I"));
            // The bytes in front of the command are an error to it, and say as much as the answer.
            let strict = lines().all(|line| reading(line) || matches!(line, b"ES" | b"ET" | b"EL"));
            if strict && lines().any(|line| reading(line) || line == b"ES") {
                fits.push("scale.mt_sics");
            }
        }
        Ask::AdamPrint => {
            if lines().count() > 0 && lines().all(looks_printed) {
                fits.push("scale.adam");
            }
        }
        Ask::Weight => match seven[..] {
            [0x02, .., b'\r'] if toledo(&seven) => fits.push("scale.toledo_8217"),
            _ => {
                // It may find fault with the bytes in front; a weight with its status is beyond doubt.
                let (mut dialect, mut heard) = (Nci::new(String::new()), Vec::new());
                for byte in &seven {
                    dialect.push(*byte, None, &mut heard);
                }
                if heard.iter().any(|h| matches!(h, Heard::Shows(..))) {
                    fits.push("scale.nci");
                }
            }
        },
        Ask::Dialog => {
            let answers = seven
                .strip_prefix(b"\x0209\x1b")
                .is_some_and(|rest| matches!(rest, [a, b, 0x03] if a.is_ascii_digit() && b.is_ascii_digit()));
            if answers {
                fits.push("scale.dialog_06");
            }
        }
    }
    fits
}

/// STX, a weight or `?` and a status with bit 6, CR.
fn toledo(answer: &[u8]) -> bool {
    match &answer[1..answer.len() - 1] {
        [b'?', status] => status & 0x40 != 0,
        weight => {
            let number = weight.strip_suffix(b"N").unwrap_or(weight);
            number.contains(&b'.') && super::legal::digits(number).is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_echo_and_a_printer_are_no_scale() {
        for ask in [Ask::Enq, Ask::Dc1, Ask::Sics, Ask::AdamPrint, Ask::Weight, Ask::Dialog] {
            assert_eq!(identify(ask, &ask.bytes()), Vec::<&str>::new(), "{ask:?} on a loopback plug");
            assert_eq!(identify(ask, &[0x12]), Vec::<&str>::new(), "{ask:?} on a printer");
        }
        assert!(is_printer(&[0x12]) && is_printer(&[0x1a]) && !is_printer(&[0x06]) && !is_printer(&[0x12, 0x12]));
    }

    #[test]
    fn nothing_visible_goes_out_where_a_printer_would_print_it() {
        for ask in TRIES.iter().flat_map(|attempt| attempt.asks) {
            let bytes = ask.bytes();
            if bytes.iter().any(|b| (0x20..0x7f).contains(b)) {
                assert!(bytes.starts_with(PERIPHERAL_OFF) && bytes.ends_with(PERIPHERAL_ON), "{ask:?}");
            }
        }
        for attempt in TRIES {
            let visible = attempt.asks.iter().position(|ask| ask.bytes().iter().any(|b| (0x20..0x7f).contains(b)));
            let guard = attempt.asks.iter().position(|ask| *ask == Ask::Printer);
            assert!(visible.is_none() || guard < visible, "a printer is asked for first");
        }
    }

    proptest! {
        #[test]
        fn no_noise_is_taken_for_a_scale(noise in prop::collection::vec(128u8..=255, 0..200)) {
            for ask in [Ask::Listen, Ask::Dc1, Ask::Sics, Ask::AdamPrint] {
                prop_assert_eq!(identify(ask, &noise), Vec::<&str>::new());
            }
        }

        #[test]
        fn any_answer_is_looked_at_without_a_panic(answer in prop::collection::vec(any::<u8>(), 0..200)) {
            for ask in [Ask::Listen, Ask::Enq, Ask::Dc1, Ask::Sics, Ask::AdamPrint, Ask::Weight, Ask::Dialog] {
                identify(ask, &answer);
            }
        }
    }
}
