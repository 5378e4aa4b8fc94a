use std::{process::Command, time::Duration};

use rustls_pki_types::{ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::*;

const BOX_ZONE: &str = "iot.internal";

fn authority() -> Authority {
    Authority::create("Demo shop", Constraints::new(BOX_ZONE, "counter", "erp.example.com")).unwrap()
}

/// A box's key and a request by it, which asks for far too much.
fn greedy_request() -> (String, BoxId) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["bank.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "somebody else");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    let pem = params.serialize_request(&key).unwrap().pem().unwrap();
    let spki = key.public_key_pem();
    let spki = rustls_pki_types::SubjectPublicKeyInfoDer::from_pem_slice(spki.as_bytes()).unwrap();
    (pem, BoxId::from_key_hash(&Sha256::digest(spki.as_ref()).into()))
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().unwrap()
}

fn verify(chain: &[CertificateDer<'_>], ca: &CertificateDer<'_>, usage: KeyUsage) -> Result<(), webpki::Error> {
    let anchor = [anchor_from_trusted_cert(ca).unwrap()];
    let leaf = EndEntityCert::try_from(&chain[0])?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(Timestamp::now().as_second().unsigned_abs()));
    leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchor, &[], now, usage, None, None).map(|_| ())
}

#[test]
fn of_a_request_only_the_key_is_taken() {
    let authority = authority();
    let (pem, box_id) = greedy_request();
    let request = Request::parse_for(&pem, &box_id).unwrap();
    let issued = authority.issue_client(&box_id, &request).unwrap();
    let chain = certificates(&issued.pem);
    verify(&chain, authority.client_ca_der(), KeyUsage::client_auth()).unwrap();
    assert!(verify(&chain, authority.client_ca_der(), KeyUsage::server_auth()).is_err());
    assert!(verify(&chain, authority.server_ca_der(), KeyUsage::client_auth()).is_err(), "the two CAs are apart");

    let (_, parsed) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    let names: Vec<&str> = EndEntityCert::try_from(&chain[0]).unwrap().valid_dns_names().collect::<Vec<_>>();
    assert_eq!(names, [box_id.as_str()]);
    assert_eq!(parsed.subject().to_string(), format!("CN={box_id}"));
    assert!(!parsed.is_ca());
    assert_eq!(parsed.raw_serial().iter().map(|b| format!("{b:02x}")).collect::<String>(), issued.serial);
}

#[test]
fn a_box_gets_its_names_and_private_addresses_only() {
    let authority = authority();
    let (pem, box_id) = greedy_request();
    let request = Request::parse(&pem).unwrap();
    let addresses = ["192.168.1.20".parse().unwrap(), "8.8.8.8".parse().unwrap(), "fd00::7".parse().unwrap()];
    let issued = authority.issue_box_server(&box_id, "Shop (2)", &[], BOX_ZONE, &addresses, &request).unwrap();
    let chain = certificates(&issued.pem);
    assert_eq!(chain.len(), 2, "the CA follows the leaf");
    verify(&chain, authority.server_ca_der(), KeyUsage::server_auth()).unwrap();
    let leaf = EndEntityCert::try_from(&chain[0]).unwrap();
    let good = ["shop-2.local", "192.168.1.20", "fd00::7", &format!("192-168-1-20.{box_id}.{BOX_ZONE}")];
    for name in good {
        leaf.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap()).unwrap();
    }
    for name in ["8.8.8.8", "bank.example", "erp.example.com", "localhost"] {
        assert!(leaf.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap()).is_err(), "{name}");
    }
}

#[test]
fn the_server_ca_cannot_sign_for_the_rest_of_the_world() {
    let authority = authority();
    for (name, address) in [("bank.example", None), ("", Some("8.8.8.8"))] {
        let mut params = leaf("mischief", 10).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = match address {
            Some(a) => vec![SanType::IpAddress(a.parse().unwrap())],
            None => vec![dns(name).unwrap()],
        };
        let key = KeyPair::generate().unwrap();
        let issued = issue(params, &key, &authority.server).unwrap();
        let refused = verify(&certificates(&issued.pem), authority.server_ca_der(), KeyUsage::server_auth());
        assert!(matches!(refused, Err(webpki::Error::NameConstraintViolation)), "{refused:?}");
    }
}

#[test]
fn a_request_for_another_key_or_with_a_broken_signature_is_refused() {
    let (pem, box_id) = greedy_request();
    let (_, other) = greedy_request();
    assert_eq!(Request::parse_for(&pem, &other).unwrap_err(), RequestError::NotItsKey);
    let mut der = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1.contents;
    let last = der.len() - 1;
    der[last] ^= 1;
    let broken = data_encoding::BASE64_MIME.encode(&der);
    let broken = format!("-----BEGIN CERTIFICATE REQUEST-----\n{broken}-----END CERTIFICATE REQUEST-----\n");
    let refused = Request::parse_for(&broken, &box_id).unwrap_err();
    assert!(matches!(refused, RequestError::NotSelfSigned | RequestError::Malformed), "{refused}");
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let p384 = CertificateParams::default().serialize_request(&p384).unwrap().pem().unwrap();
    assert_eq!(Request::parse(&p384).unwrap_err(), RequestError::WrongKeyType);
    assert_eq!(Request::parse("nonsense").unwrap_err(), RequestError::Malformed);
}

#[test]
fn the_same_authority_comes_back_from_what_is_stored() {
    let first = authority();
    let stored = serde_json::to_string(first.stored()).unwrap();
    let again = Authority::from_stored(serde_json::from_str(&stored).unwrap()).unwrap();
    assert_eq!(again.server_ca_sha256(), first.server_ca_sha256());
    assert_eq!(again.grant_key(), first.grant_key());
    let (pem, box_id) = greedy_request();
    let issued = again.issue_client(&box_id, &Request::parse(&pem).unwrap()).unwrap();
    verify(&certificates(&issued.pem), first.client_ca_der(), KeyUsage::client_auth()).unwrap();
    let signature = data_encoding::BASE64.decode(again.sign_grant("{}").unwrap().as_bytes()).unwrap();
    let point = data_encoding::BASE64.decode(first.grant_key().as_bytes()).unwrap();
    assert_eq!((point.len(), signature.len()), (65, 64));
    ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, point)
        .verify(b"{}", &signature)
        .unwrap();
}

/// The second opinion: what OpenSSL says, as browsers and curl see it.
#[test]
fn openssl_accepts_the_erps_own_chain() {
    if Command::new("openssl").arg("version").output().is_err() {
        return;
    }
    let authority = authority();
    let names = ["localhost".to_owned(), "erp.example.com".to_owned(), "bank.example".to_owned()];
    let own = authority.issue_own(&names, &["127.0.0.1".parse().unwrap()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ca.pem"), authority.server_ca_pem()).unwrap();
    std::fs::write(dir.path().join("leaf.pem"), &own.certificate_pem).unwrap();
    let verify = |args: &[&str]| {
        let out = Command::new("openssl")
            .current_dir(dir.path())
            .args(["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem"])
            .args(args)
            .arg("leaf.pem")
            .output()
            .unwrap();
        (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    for name in
        [["-verify_hostname", "localhost"], ["-verify_hostname", "erp.example.com"], ["-verify_ip", "127.0.0.1"]]
    {
        let (ok, said) = verify(&name);
        assert!(ok, "{name:?}: {said}");
    }
    assert!(!verify(&["-verify_hostname", "bank.example"]).0);
}
