//! ZPL II. Source: Zebra, "ZPL II Programming Guide": `^GF`, `^HV`, `~HS`.

use std::time::Duration;

use crate::printer::{
    Document,
    bitmap::Bitmap,
    canvas,
    error::EncodeError,
    profile::Profile,
    status::Status,
    stream::{Dialect, Heard},
};

const STX: u8 = 2;
const ETX: u8 = 3;
/// Stands before a job's mark in what `^HV` sends back.
const SIGN: &[u8] = b"IOT[";
const LONGEST_LINE: usize = 256;

#[derive(Debug, Default)]
pub(in crate::printer) struct Zpl {
    line: Vec<u8>,
    /// The first of the three strings of `~HS`.
    first: Option<Vec<u8>>,
    strings: u8,
}

impl Dialect for Zpl {
    const DOCUMENT: fn(&Document, &Profile) -> Result<Vec<u8>, EncodeError> = encode;
    const DRAWER: Option<fn(&Profile, &mut Vec<u8>)> = None;
    const ASK_EVERY: Duration = Duration::from_millis(800);

    fn greeting(&mut self) -> Vec<u8> {
        *self = Self::default();
        Vec::new()
    }

    fn question(&self) -> &'static [u8] {
        b"~HS\r\n"
    }

    /// ^HV sends a field back when its label is printed. The field itself lies outside the label, where nothing prints.
    fn sign(&mut self, job: &mut Vec<u8>, mark: [u8; 4]) -> bool {
        let Some(end) = job.windows(3).rposition(|three| three == b"^XZ") else { return false };
        let mut sign = b"^FO32000,0^A0N,10,10^FN900^FD".to_vec();
        sign.extend_from_slice(&mark);
        sign.extend_from_slice(b"^FS^FH_^HV900,4,IOT[,]_0D_0A,L^FS");
        job.splice(end..end, sign);
        true
    }

    fn hear(&mut self, byte: u8) -> Option<Heard> {
        match byte {
            STX => {
                self.line.clear();
                self.line.push(STX);
                None
            }
            ETX if self.line.first() == Some(&STX) => {
                let line = std::mem::take(&mut self.line);
                self.string(line[1..].to_vec())
            }
            b'\r' | b'\n' => {
                let line = std::mem::take(&mut self.line);
                match line.strip_prefix(SIGN).and_then(|rest| rest.strip_suffix(b"]")) {
                    Some(mark) => mark.try_into().ok().map(Heard::Printed),
                    None if line.is_empty() => None,
                    None => Some(Heard::Garbage),
                }
            }
            byte => {
                self.line.push(byte);
                if self.line.len() <= LONGEST_LINE {
                    return None;
                }
                self.line.clear();
                Some(Heard::Garbage)
            }
        }
    }
}

impl Zpl {
    /// ~HS answers with three strings, told apart by their order and length.
    fn string(&mut self, text: Vec<u8>) -> Option<Heard> {
        match text.iter().filter(|b| **b == b',').count() {
            11 => {
                self.first = Some(text);
                self.strings = 1;
                None
            }
            10 if self.strings == 1 => {
                self.strings = 2;
                let first = self.first.take()?;
                Some(Heard::Status(status(&first, &text)?))
            }
            1 if self.strings == 2 => {
                self.strings = 0;
                None
            }
            _ => Some(Heard::Garbage),
        }
    }
}

/// Host Status Return: string 1 `aaa,b,c,dddd,eee,f,g,h,iii,j,k,l`, string 2 `mmm,n,o,p,q,r,s,t,uuuuuuuu,v,www`.
fn status(first: &[u8], second: &[u8]) -> Option<Status> {
    let split = |text: &[u8]| -> Vec<u32> {
        text.split(|b| *b == b',')
            .map(|field| std::str::from_utf8(field).ok().and_then(|f| f.trim().parse().ok()).unwrap_or(0))
            .collect()
    };
    let (first, second) = (split(first), split(second));
    let get = |fields: &[u32], at: usize| fields.get(at).copied().unwrap_or(0);
    Some(Status {
        paper_out: get(&first, 1) == 1,
        paused: get(&first, 2) == 1,
        broken: get(&first, 9) == 1,
        too_hot: get(&first, 11) == 1,
        cover_open: get(&second, 2) == 1,
        ribbon_out: get(&second, 3) == 1,
        // Formats that wait, one that is half here, labels that are left.
        busy: get(&first, 4) > 0 || get(&first, 7) == 1 || get(&second, 8) > 0,
        ..Status::default()
    })
}

fn encode(document: &Document, profile: &Profile) -> Result<Vec<u8>, EncodeError> {
    let dots = canvas::draw(document, profile)?;
    let mut out = format!("^XA^PW{}", dots.width);
    if profile.label_dots > 0 {
        out.push_str(&format!("^LL{}", profile.label_dots));
    }
    out.push_str(&format!("^LH0,0^FO0,0^GFA,{0},{0},{1},", dots.rows.len(), dots.row_bytes()));
    compress(&dots, &mut out);
    out.push_str("^FS^PQ1^XZ\r\n");
    Ok(out.into_bytes())
}

/// Hexadecimal with ZPL's alternative data compression: `G` to `Y` repeat the next digit 1 to 19 times, `g` to `z` 20
/// to 400 times, `,` fills a row with white, `:` repeats the row before.
pub(super) fn compress(dots: &Bitmap, out: &mut String) {
    let mut before: Option<&[u8]> = None;
    for row in dots.rows.chunks_exact(dots.row_bytes().max(1)) {
        if before == Some(row) {
            out.push(':');
            continue;
        }
        before = Some(row);
        let digits: Vec<u8> = row.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect();
        let used = digits.len() - digits.iter().rev().take_while(|digit| **digit == 0).count();
        let mut at = 0;
        while at < used {
            let digit = digits[at];
            let run = digits[at..used].iter().take_while(|other| **other == digit).count();
            at += run;
            repeat(run, out);
            out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
        }
        if used < digits.len() {
            out.push(',');
        }
    }
}

fn repeat(mut run: usize, out: &mut String) {
    while run >= 400 {
        out.push('z');
        run -= 400;
    }
    if run == 1 && !out.ends_with(|c: char| c.is_ascii_lowercase()) {
        return;
    }
    if run >= 20 {
        out.push(char::from(b'f' + (run / 20) as u8));
    }
    if !run.is_multiple_of(20) {
        out.push(char::from(b'F' + (run % 20) as u8));
    }
}
