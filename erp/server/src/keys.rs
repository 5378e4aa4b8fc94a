//! The server's keys: made once, sealed, found again.

use std::path::Path;

use anyhow::Context;
use erp_engine::{Engine, domain};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    ca::{Authority, Constraints, StoredPair, chain},
    config::{Config, split_origin},
    names::hostname,
    place,
    vault::Vault,
};

const AUTHORITY: &str = "authority";
const OWN: &str = "own_certificate";
/// A certificate of our own is made anew when less than this is left.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(130 * 24);

async fn load<T: DeserializeOwned>(engine: &Engine, vault: &Vault, name: &str) -> anyhow::Result<Option<T>> {
    let Some(sealed) = place::secret(engine, name).await? else { return Ok(None) };
    let plain = vault.open(name, &sealed)?;
    serde_json::from_slice(&plain).map(Some).with_context(|| format!("the stored {name} is damaged"))
}

async fn save(engine: &Engine, vault: &Vault, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
    let sealed = vault.seal(name, &serde_json::to_vec(value)?)?;
    Ok(place::save_secret(engine, name, sealed).await?)
}

/// The two CAs and the grant key, made at the first start.
pub(crate) async fn authority(engine: &Engine, vault: &Vault, config: &Config) -> anyhow::Result<Authority> {
    let public_host = split_origin(&config.public_url).map_or("localhost", |(host, _)| host);
    let wanted = Constraints::new(&config.zone, &hostname(), public_host);
    if let Some(stored) = load(engine, vault, AUTHORITY).await? {
        let authority = Authority::from_stored(stored)?;
        let constraints = &authority.stored().constraints;
        let covered = wanted.names.iter().all(|n| constraints.permits_name(n))
            && wanted.addresses.iter().all(|a| constraints.permits_address(*a));
        if covered {
            return Ok(authority);
        }
        let mut env = engine.superuser("count paired boxes").await?;
        if env.count("iot.box", &domain!(["state", "=", "paired"])).await? > 0 {
            tracing::warn!(url = %config.public_url,
                "The server CA was made for other names: boxes go on with the old ones. Pair them again after unpairing all, and a new CA is made.");
            return Ok(authority);
        }
        tracing::info!("No box is paired: a new server CA is made for the new name.");
    }
    let authority = Authority::create(&config.erp_name, wanted)?;
    save(engine, vault, AUTHORITY, authority.stored()).await?;
    Ok(authority)
}

/// What boxes see, and browsers unless a certificate was given.
pub(crate) async fn own_certificate(
    engine: &Engine,
    vault: &Vault,
    config: &Config,
    ca: &Authority,
) -> anyhow::Result<StoredPair> {
    if let Some(stored) = load::<StoredPair>(engine, vault, OWN).await?
        && still_good(&stored, config, ca)
    {
        return Ok(stored);
    }
    let made = ca.issue_own(&config.own_names, &config.own_addresses)?;
    save(engine, vault, OWN, &made).await?;
    Ok(made)
}

fn still_good(pair: &StoredPair, config: &Config, ca: &Authority) -> bool {
    let Ok((chain, _)) = chain(pair) else { return false };
    let (Some(leaf), Some(issuer)) = (chain.first(), chain.get(1)) else { return false };
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else { return false };
    let ends = Timestamp::from_second(parsed.validity().not_after.timestamp()).unwrap_or(Timestamp::MIN);
    let Ok(verifiable) = webpki::EndEntityCert::try_from(leaf) else { return false };
    let covers = |name: &str| {
        rustls_pki_types::ServerName::try_from(name)
            .is_ok_and(|n| verifiable.verify_is_valid_for_subject_name(&n).is_ok())
    };
    let permitted = &ca.stored().constraints;
    issuer == ca.server_ca_der()
        && ends - RENEW_BEFORE > Timestamp::now()
        && config.own_names.iter().filter(|n| permitted.permits_name(n)).all(|n| covers(n))
        && config.own_addresses.iter().filter(|a| permitted.permits_address(**a)).all(|a| covers(&a.to_string()))
}

/// `--tls-cert` and `--tls-key`.
pub(crate) fn from_files(
    cert: &Path,
    key: &Path,
) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let certificates = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read certificates from {}", cert.display()))?;
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("cannot read a key from {}", key.display()))?;
    Ok((certificates, key))
}
