//! TLS: whom we trust, and what it means in words when we don't.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use tokio_rustls::TlsConnector;

use super::config::{ConfigError, ConnectConfig};
use super::connect::split;
use super::stream::Stream;
use crate::record::{ErrorKind, Failure};

/// How TLS is done; shared by all cores.
///
/// The system's certificates are read at the first https request: many runs need none, and reading them takes longer than a
/// hundred plain requests.
#[derive(Debug)]
pub(super) struct Tls {
    insecure: bool,
    extra: Vec<CertificateDer<'static>>,
    config: OnceLock<Result<Arc<ClientConfig>, Failure>>,
}

impl Tls {
    pub(super) fn new(config: &ConnectConfig) -> Result<Self, ConfigError> {
        let extra = config
            .ca_file
            .as_deref()
            .map(certificates)
            .transpose()?
            .unwrap_or_default();
        Ok(Self {
            insecure: config.insecure,
            extra,
            config: OnceLock::new(),
        })
    }

    /// Makes `stream` a TLS connection to `host:port`.
    pub(super) async fn over(&self, stream: Stream, host_port: &str) -> Result<Stream, Failure> {
        let config = self.config.get_or_init(|| self.build()).clone()?;
        let (host, _) = split(host_port);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            Failure::permanent(
                ErrorKind::Tls,
                format!("{host:?} is no name that a certificate could have"),
            )
        })?;
        match TlsConnector::from(config).connect(name, stream).await {
            Ok(tls) => Ok(Stream::Tls(Box::new(tls))),
            Err(error) => Err(failure(&error, host)),
        }
    }

    fn build(&self) -> Result<Arc<ClientConfig>, Failure> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::permanent(ErrorKind::Tls, error.to_string()))?;
        let mut config = if self.insecure {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
                .with_no_client_auth()
        } else {
            builder
                .with_root_certificates(self.roots()?)
                .with_no_client_auth()
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.extra.iter().cloned());
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() {
            let why = system
                .errors
                .first()
                .map_or_else(|| "none is installed".to_owned(), ToString::to_string);
            let message = format!("no certificates to trust: {why}; --cacert FILE names some");
            return Err(Failure::permanent(ErrorKind::Tls, message));
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let fault = |why: &dyn std::fmt::Display| {
        ConfigError::new(format!("certificates {}: {why}", path.display()))
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found = found.map_err(|error| fault(&error))?;
    let mut check = RootCertStore::empty();
    match check.add_parsable_certificates(found.iter().cloned()) {
        (0, _) => Err(fault(&"there is no certificate in the file")),
        _ => Ok(found),
    }
}

/// Why the handshake failed, for a person. What a certificate is wrong with another try won't mend; a cut connection it may.
fn failure(error: &io::Error, host: &str) -> Failure {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let permanent = |message: String| Failure::permanent(ErrorKind::Tls, message);
    match inner {
        Some(Error::InvalidCertificate(certificate)) => permanent(untrusted(certificate, host)),
        Some(Error::AlertReceived(
            AlertDescription::InternalError | AlertDescription::CloseNotify,
        )) => Failure::transient(
            ErrorKind::Tls,
            format!("{host} broke off the TLS handshake"),
        ),
        Some(Error::AlertReceived(alert)) => {
            permanent(format!("{host} refused the TLS handshake: {alert:?}"))
        }
        Some(Error::InvalidMessage(_)) => {
            permanent(format!("{host} does not speak TLS on this port"))
        }
        Some(other) => permanent(format!("no TLS with {host}: {other}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => Failure::transient(
            ErrorKind::Tls,
            format!("{host} closed the connection during the TLS handshake"),
        ),
        None => Failure::transient(ErrorKind::Tls, format!("no TLS with {host}: {error}")),
    }
}

fn untrusted(error: &CertificateError, host: &str) -> String {
    use CertificateError as C;
    let unknown = "self-signed certificate (unknown issuer); --cacert FILE trusts it";
    let date = |time: &UnixTime| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time.as_secs());
        httpdate::fmt_http_date(time)
    };
    match error {
        C::Expired => "certificate expired".into(),
        C::ExpiredContext { not_after, .. } => {
            format!("certificate expired on {}", date(not_after))
        }
        C::NotValidYet => "certificate is not valid yet".into(),
        C::NotValidYetContext { not_before, .. } => {
            format!("certificate is not valid before {}", date(not_before))
        }
        C::NotValidForName => format!("certificate is not for {host}"),
        C::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!("certificate is for no host at all, not for {host}")
        }
        C::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            format!("certificate is for {}, not for {host}", names.join(", "))
        }
        C::UnknownIssuer => unknown.into(),
        C::Revoked => "certificate was revoked".into(),
        // A certificate that signs itself as an authority would, which is what `openssl req -x509` makes.
        C::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => unknown.into(),
        other => format!("certificate of {host}: {other}"),
    }
}

/// `DnsName("a.example")` is `a.example` to a person.
fn bare(name: &str) -> &str {
    name.split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or(name)
        .trim_matches('"')
}

/// Trusts whoever answers; that it has the key of the certificate which it shows is checked all the same.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
