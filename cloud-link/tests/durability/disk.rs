//! A disk that loses power: bytes that were synced stay, the rest is dropped, kept or torn.

use std::collections::BTreeMap;

const SECTOR: usize = 512;

/// xorshift64*: the same seed gives the same disk.
#[derive(Debug, Clone)]
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }
}

#[derive(Debug, Clone)]
enum Op {
    Write { at: usize, data: Vec<u8> },
    Truncate(usize),
}

#[derive(Debug, Default, Clone)]
struct FileState {
    /// What a power cut leaves for sure.
    durable: Vec<u8>,
    /// What a reader sees now.
    live: Vec<u8>,
    /// Since the last sync.
    unsynced: Vec<Op>,
    /// The file's name itself is on the disk.
    named: bool,
}

impl Op {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { at, data } => {
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
            Self::Truncate(len) => bytes.truncate(*len),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The power is off.
    Dead,
    Full,
}

pub(crate) struct Disk {
    files: BTreeMap<String, FileState>,
    rng: Rng,
    /// Writes, truncations and syncs so far; the power goes at `cut_at`.
    pub(crate) operations: u64,
    pub(crate) cut_at: u64,
    dead: bool,
    /// Bytes all files may have.
    pub(crate) capacity: Box<dyn Fn() -> usize + Send>,
}

impl Disk {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            files: BTreeMap::new(),
            rng: Rng(seed | 1),
            operations: 0,
            cut_at: u64::MAX,
            dead: false,
            capacity: Box::new(|| usize::MAX),
        }
    }

    fn alive(&self) -> Result<(), Fault> {
        if self.dead { Err(Fault::Dead) } else { Ok(()) }
    }

    /// Counts an operation. True: the power goes in the middle of this one.
    fn count(&mut self) -> bool {
        self.operations += 1;
        self.dead = self.operations >= self.cut_at;
        self.dead
    }

    pub(crate) fn open(&mut self, name: &str, create: bool) -> Result<bool, Fault> {
        self.alive()?;
        if !create {
            return Ok(self.files.contains_key(name));
        }
        self.files.entry(name.to_owned()).or_default();
        Ok(true)
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<(), Fault> {
        self.alive()?;
        self.count();
        self.alive()?;
        self.files.remove(name);
        Ok(())
    }

    pub(crate) fn len(&self, name: &str) -> Result<usize, Fault> {
        self.alive()?;
        Ok(self.files.get(name).map_or(0, |f| f.live.len()))
    }

    /// Bytes read; the rest of `out` is zero.
    pub(crate) fn read(&self, name: &str, at: usize, out: &mut [u8]) -> Result<usize, Fault> {
        self.alive()?;
        out.fill(0);
        let Some(file) = self.files.get(name) else { return Ok(0) };
        let from = at.min(file.live.len());
        let n = out.len().min(file.live.len() - from);
        out[..n].copy_from_slice(&file.live[from..from + n]);
        Ok(n)
    }

    pub(crate) fn write(&mut self, name: &str, at: usize, data: &[u8]) -> Result<(), Fault> {
        self.alive()?;
        let grows = (at + data.len()).saturating_sub(self.files.get(name).map_or(0, |f| f.live.len()));
        if grows > 0 {
            let used: usize = self.files.values().map(|f| f.live.len()).sum();
            if used + grows > (self.capacity)() {
                return Err(Fault::Full);
            }
        }
        self.change(name, Op::Write { at, data: data.to_vec() })
    }

    pub(crate) fn truncate(&mut self, name: &str, len: usize) -> Result<(), Fault> {
        self.alive()?;
        self.change(name, Op::Truncate(len))
    }

    fn change(&mut self, name: &str, op: Op) -> Result<(), Fault> {
        let cut = self.count();
        let file = self.files.entry(name.to_owned()).or_default();
        op.apply(&mut file.live);
        file.unsynced.push(op);
        if cut { Err(Fault::Dead) } else { Ok(()) }
    }

    pub(crate) fn sync(&mut self, name: &str) -> Result<(), Fault> {
        self.alive()?;
        if self.count() {
            return Err(Fault::Dead);
        }
        if let Some(file) = self.files.get_mut(name) {
            file.durable.clone_from(&file.live);
            file.unsynced.clear();
            file.named = true;
        }
        Ok(())
    }

    /// The power comes back: what was not synced was dropped, kept or torn, in any mixture.
    pub(crate) fn restart(&mut self) {
        let mood = self.rng.below(4);
        let rng = &mut self.rng;
        self.files.retain(|_, file| {
            let mut bytes = std::mem::take(&mut file.durable);
            for op in file.unsynced.drain(..) {
                let fate = if mood < 3 { mood } else { rng.below(3) };
                match (fate, op) {
                    (0, _) => {}
                    (1, op) => op.apply(&mut bytes),
                    (_, Op::Truncate(len)) if rng.below(2) == 0 => Op::Truncate(len).apply(&mut bytes),
                    (_, Op::Truncate(_)) => {}
                    (_, Op::Write { at, data }) => tear(rng, at, &data, &mut bytes),
                }
            }
            file.live.clone_from(&bytes);
            file.durable = bytes;
            std::mem::replace(&mut file.named, true) || rng.below(2) == 0
        });
        self.dead = false;
        self.cut_at = u64::MAX;
    }
}

/// Each sector that the write touches arrives or does not; bytes outside of the write are safe (powersafe overwrite).
fn tear(rng: &mut Rng, at: usize, data: &[u8], bytes: &mut Vec<u8>) {
    let mut from = 0;
    while from < data.len() {
        let to = data.len().min(from + SECTOR - (at + from) % SECTOR);
        if rng.below(2) == 0 {
            Op::Write { at: at + from, data: data[from..to].to_vec() }.apply(bytes);
        }
        from = to;
    }
}
