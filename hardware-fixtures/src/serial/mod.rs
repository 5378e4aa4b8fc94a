//! A serial line that ends in a pseudo-terminal: whoever opens the tty meets the timing of a real line.

mod line;
mod pace;
mod pty;

pub(crate) use line::{Line, LineEvent};
pub use pace::{Format, Pace};
