//! The bytes that both sides of an enrolment hash, against vectors made by another implementation.

use data_encoding::HEXLOWER;
use link_protocol::enrol::{Applicant, Transcript};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    applicant: Applicant,
    pake_a: String,
    pake_b: String,
    token_id: String,
    ca_sha256: String,
    transcript: String,
}

#[test]
fn the_transcript_is_the_same_in_every_implementation() {
    let file: File = serde_json::from_str(include_str!("enrol_vectors.json")).unwrap();
    assert_eq!(file.vectors.len(), 2);
    for v in file.vectors {
        let ca_sha256 = HEXLOWER.decode(v.ca_sha256.as_bytes()).unwrap();
        let transcript = Transcript {
            applicant: &v.applicant,
            pake_a: &v.pake_a,
            pake_b: &v.pake_b,
            token_id: &v.token_id,
            ca_sha256: &ca_sha256,
        };
        assert_eq!(HEXLOWER.encode(&transcript.bytes()), v.transcript, "{}", v.name);
    }
}
