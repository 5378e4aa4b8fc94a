//! The box's side of the wire: who it is, whom it is paired with, what it still has to tell, and the session.
//!
//! * [`identity`]: the box's two private keys and the name that follows from one of them
//! * [`pairing`]: what the ERP granted, on disk
//! * [`tls`]: rustls configurations made from the two
//! * [`outbox`]: every business event until the ERP has it, and the ledger of commands
//! * [`enrol`]: from a code or a token to a pairing
//! * [`session`]: MQTT 5 to the ERP
//!
//! Each talks to the next by plain types of `link-protocol`; nothing here knows a device.

pub mod enrol;
pub mod identity;
pub mod outbox;
pub mod pairing;
pub mod session;
pub mod tls;

mod staged;
