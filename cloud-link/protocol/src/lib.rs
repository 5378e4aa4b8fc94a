//! The wire between `iot-box` and `erp`: types only, no I/O, no cryptography, no clock.
//!
//! Everything travels as JSON. Version 1 is frozen by the snapshots in `tests/schema.rs`: a change there is a change
//! of the protocol and has to stay readable for the boxes already in shops (add optional fields, never rename).
//!
//! * [`topic`]: where MQTT messages go
//! * [`up`]: what a box says
//! * [`down`]: what the ERP says
//! * [`outcome`]: how a command ended
//! * [`document`]: what a receipt printer prints
//! * [`payment`]: card terminals
//! * [`enrol`]: how a box and an ERP come to trust each other
//! * [`local`]: the box's API for browsers on the LAN

pub mod document;
pub mod down;
pub mod enrol;
pub mod ids;
pub mod local;
pub mod outcome;
pub mod payment;
pub mod topic;
pub mod up;

/// The version that every envelope carries.
pub const VERSION: u16 = 1;

/// Largest MQTT packet either side accepts, in bytes.
pub const MAX_PACKET: usize = 256 * 1024;
