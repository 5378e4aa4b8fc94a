//! What people and checks want to know of a certificate.

use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::extensions::GeneralName;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) dns_names: Vec<String>,
    /// Unix milliseconds.
    pub(crate) not_before_ms: i64,
    pub(crate) not_after_ms: i64,
}

/// Of the first certificate in a PEM text.
pub(crate) fn facts(pem: &str) -> Option<Facts> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let dns_names = names.map_or_else(Vec::new, |names| {
        let dns = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        };
        names.value.general_names.iter().filter_map(dns).collect()
    });
    let validity = certificate.validity();
    Some(Facts {
        dns_names,
        not_before_ms: validity.not_before.timestamp().saturating_mul(1000),
        not_after_ms: validity.not_after.timestamp().saturating_mul(1000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_life_time_are_read() {
        let made =
            rcgen::generate_simple_self_signed(["*.Abc.box.example".to_owned(), "till.local".to_owned()]).unwrap();
        let facts = facts(&made.cert.pem()).unwrap();
        assert_eq!(facts.dns_names, ["*.abc.box.example", "till.local"]);
        assert!(facts.not_before_ms < facts.not_after_ms);
        assert_eq!(super::facts("no certificate"), None);
    }
}
