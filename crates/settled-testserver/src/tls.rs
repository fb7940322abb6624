//! Certificates for servers that speak TLS: a good one, and each that a client has to refuse.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The names that a good certificate is for.
const HERE: [&str; 2] = ["localhost", "127.0.0.1"];

/// A certificate authority that lives as long as the test: trust its [`pem`](Self::pem), and `good` is the only one of its
/// servers that should be believed.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority, with a key of its own.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new([])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "settled test authority");
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
        })
    }

    /// The authority's own certificate, as PEM text: what a client is given to trust.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The authority's own certificate, as DER.
    #[must_use]
    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Valid, for localhost and 127.0.0.1.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn good(&self) -> Result<Arc<ServerConfig>, rcgen::Error> {
        self.issue(CertificateParams::new(HERE.map(str::to_owned))?)
    }

    /// For localhost and 127.0.0.1, and over since the year 2000.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn expired(&self) -> Result<Arc<ServerConfig>, rcgen::Error> {
        let mut params = CertificateParams::new(HERE.map(str::to_owned))?;
        params.not_before = date_time_ymd(1999, 1, 1);
        params.not_after = date_time_ymd(2000, 1, 1);
        self.issue(params)
    }

    /// Valid, for `elsewhere.invalid` only.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn wrong_host(&self) -> Result<Arc<ServerConfig>, rcgen::Error> {
        self.issue(CertificateParams::new(["elsewhere.invalid".to_owned()])?)
    }

    fn issue(&self, params: CertificateParams) -> Result<Arc<ServerConfig>, rcgen::Error> {
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        Ok(config(leaf.der().clone(), &key))
    }
}

/// Valid for localhost and 127.0.0.1, but vouched for by nobody but itself.
///
/// # Errors
/// If the system has no randomness.
pub fn self_signed() -> Result<Arc<ServerConfig>, rcgen::Error> {
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(HERE.map(str::to_owned))?.self_signed(&key)?;
    Ok(config(leaf.der().clone(), &key))
}

fn config(leaf: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| {
            config
                .with_no_client_auth()
                .with_single_cert(vec![leaf], key)
        });
    // The key was made by the same library, for this very certificate.
    Arc::new(config.expect("a fresh key fits its certificate"))
}
