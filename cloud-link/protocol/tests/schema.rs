//! The wire's types as JSON schemas. A snapshot that changes is a change of the protocol: boxes in shops speak the old
//! one, so fields may be added when they are optional, and nothing may be renamed, removed or made stricter.

use link_protocol::{document, down, enrol, ids, local, outcome, up};

macro_rules! schemas {
    ($($test:ident: $($ty:ty),+;)+) => {$(
        #[test]
        fn $test() {
            $(
                let name = stringify!($ty).replace(' ', "").replace("::", ".");
                let schema = schemars::schema_for!($ty);
                insta::assert_json_snapshot!(name, schema);
            )+
        }
    )+};
}

schemas! {
    what_a_box_says_is_unchanged: up::EventBatch, up::Event, up::State, up::Outbox, up::Device, up::Live,
        up::CommandResult, up::Goodbye;
    what_the_erp_says_is_unchanged: down::Hello, down::Ack, down::Command;
    outcomes_are_unchanged: outcome::Outcome, outcome::Value, outcome::Weight;
    documents_are_unchanged: document::Document;
    enrolment_is_unchanged: enrol::Applicant, enrol::Offer, enrol::Offered, enrol::Poll, enrol::Polled, enrol::Prove,
        enrol::TokenOffer, enrol::Sealed, enrol::Grant;
    the_local_api_is_unchanged: local::Hello, local::TillGrant, local::SignedGrant, local::Challenge,
        local::TokenRequest, local::Token, local::ToBox, local::FromBox, local::ErrorBody;
    ids_are_unchanged: ids::BoxId, ids::DbName, ids::DeviceId, ids::CommandId, ids::PairingId, ids::Epoch,
        ids::EventId;
}
