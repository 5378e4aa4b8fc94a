//! rustls configurations: to the ERP with the box's own certificate, and to browsers on the LAN.

use std::sync::Arc;

use arc_swap::ArcSwap;
use link_protocol::enrol::Grant;
use rcgen::{CertificateParams, DnType};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject};

use crate::identity::{Identity, subject_name};

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the ERP's grant holds no usable {0}: pair the box again")]
    Grant(&'static str),
    #[error("cannot make a certificate for the box's own pages: {0}")]
    SelfSigned(#[from] rcgen::Error),
    #[error("TLS does not accept the box's key or certificate: {0}; pair the box again")]
    Rustls(#[from] rustls::Error),
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// For MQTT: trusts the ERP's CA of the pairing and nothing else, shows the box's certificate, ALPN `mqtt`.
pub fn mqtt_config(identity: &Identity, grant: &Grant) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for ca in certificates(&grant.server_ca, "server CA")? {
        roots.add(ca)?;
    }
    let chain = certificates(&grant.client_certificate, "client certificate")?;
    let clock = Arc::new(NotBeforePairing(u64::try_from(grant.now_ms / 1000).unwrap_or(0)));
    let mut config = ClientConfig::builder_with_details(provider(), clock)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, identity.client_key())?;
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// The box's clock, but never before the pairing, in seconds: a box without a battery starts in 1970 and still has to
/// reach its ERP.
#[derive(Debug)]
struct NotBeforePairing(u64);

impl rustls::time_provider::TimeProvider for NotBeforePairing {
    fn current_time(&self) -> Option<UnixTime> {
        let now = UnixTime::now().as_secs().max(self.0);
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(now)))
    }
}

/// The certificate that browsers on the LAN see; replaced while connections go on.
#[derive(Debug)]
pub struct BoxCertificate {
    identity: Identity,
    current: ArcSwap<Current>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    not_after_ms: i64,
    issued: bool,
}

impl BoxCertificate {
    /// The ERP's certificate when there is a pairing, else one the box signs itself, for `names`.
    pub fn new(identity: &Identity, grant: Option<&Grant>, names: &[String]) -> Result<Arc<Self>, TlsError> {
        let current = load(identity, grant, names)?;
        Ok(Arc::new(Self { identity: identity.clone(), current: ArcSwap::from_pointee(current) }))
    }

    /// After pairing, unpairing, renewal, or a change of address. New connections get it.
    pub fn reload(&self, grant: Option<&Grant>, names: &[String]) -> Result<(), TlsError> {
        self.current.store(Arc::new(load(&self.identity, grant, names)?));
        Ok(())
    }

    /// End of the certificate, Unix milliseconds.
    pub fn not_after_ms(&self) -> i64 {
        self.current.load().not_after_ms
    }

    /// Whether an ERP signed it (else the box did).
    pub fn is_issued(&self) -> bool {
        self.current.load().issued
    }

    /// HTTP/1.1 over TLS 1.2 and 1.3 with this certificate.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Few clients, little memory: tickets hold the state, one per connection is enough.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 1;
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for BoxCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load().key.clone())
    }
}

fn load(identity: &Identity, grant: Option<&Grant>, names: &[String]) -> Result<Current, TlsError> {
    let (chain, issued) = match grant {
        Some(grant) => (certificates(&grant.server_certificate, "HTTPS certificate")?, true),
        None => {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, identity.box_id().as_str());
            params.subject_alt_names = names.iter().filter_map(|n| subject_name(n)).collect();
            (vec![params.self_signed(identity.https_key_pair())?.der().clone()], false)
        }
    };
    let not_after_ms = chain.first().map_or(Err(TlsError::Grant("HTTPS certificate")), not_after_ms)?;
    let key = CertifiedKey::from_der(chain, identity.https_key(), &provider())?;
    Ok(Current { key: Arc::new(key), not_after_ms, issued })
}

pub(crate) fn certificates(pem: &str, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.ok().filter(|c| !c.is_empty()).ok_or(TlsError::Grant(what))
}

fn not_after_ms(certificate: &CertificateDer<'_>) -> Result<i64, TlsError> {
    let (_, parsed) =
        x509_parser::parse_x509_certificate(certificate).map_err(|_| TlsError::Grant("HTTPS certificate"))?;
    Ok(parsed.validity().not_after.timestamp().saturating_mul(1000))
}
