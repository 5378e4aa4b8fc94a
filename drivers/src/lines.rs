//! Lines out of bytes in any chunking.

/// Collects bytes up to an end; CR and blanks around a line are removed. A line that is too long is dropped to its end.
#[derive(Debug)]
pub(crate) struct Lines {
    end: u8,
    longest: usize,
    line: Vec<u8>,
    lost: bool,
}

impl Lines {
    pub(crate) fn new(end: u8, longest: usize) -> Self {
        Self { end, longest, line: Vec::new(), lost: false }
    }

    /// A line that is not empty, or `Err` for one that was too long.
    pub(crate) fn push(&mut self, byte: u8) -> Option<Result<Vec<u8>, ()>> {
        if byte == self.end {
            let line = std::mem::take(&mut self.line);
            if std::mem::take(&mut self.lost) {
                return Some(Err(()));
            }
            let line = line.trim_ascii();
            return (!line.is_empty()).then(|| Ok(line.to_vec()));
        }
        if self.line.len() == self.longest {
            self.line.clear();
            self.lost = true;
        } else if !self.lost {
            self.line.push(byte);
        }
        None
    }

    pub(crate) fn clear(&mut self) {
        self.line.clear();
        self.lost = false;
    }
}
