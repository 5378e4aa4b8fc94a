//! A shop made of the shipped programs, for the demo, the benchmarks and the end-to-end tests.
//!
//! [`shop::Shop`] starts `erp`, `iot-box` and `iot-sim` as processes of their own and talks to them only as people and
//! browsers do: over HTTPS, WebSockets and the simulators' control socket.

pub mod clock;
pub mod counter;
pub mod erp;
pub mod http;
pub mod programs;
pub mod shop;
pub mod till;
