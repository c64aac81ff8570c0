//! How the server is reached.

use std::time::Duration;

use firstcome_core::ports::PortError;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use secrecy::SecretString;

/// What a certificate begins with.
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// When a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Never: for a server on this machine.
    None,
    /// Right after the greeting, and nothing is sent without it.
    Starttls,
    /// From the beginning.
    Tls,
}

/// How the server is reached.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    /// Its name, which its certificate must have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// When the connection is encrypted.
    pub tls: SmtpTls,
    /// A certificate in PEM that is trusted beside the well-known authorities.
    pub authority: Option<Vec<u8>>,
    /// User and password, if the server asks for them.
    pub log_in: Option<(String, SecretString)>,
    /// The sender: `Shop <no-reply@shop.example>`.
    pub from: String,
    /// How long one e-mail may take.
    pub timeout: Duration,
    /// Connections that are kept for the next e-mails.
    pub connections: usize,
}

impl SmtpOptions {
    pub(super) fn parameters(&self) -> Result<Option<TlsParameters>, PortError> {
        if self.tls == SmtpTls::None {
            return Ok(None);
        }
        let wrong = |error: lettre::transport::smtp::Error| PortError::Misused(format!("smtp: {error}"));
        let mut parameters = TlsParameters::builder(self.host.clone());
        if let Some(pem) = &self.authority {
            if !pem.windows(PEM.len()).any(|window| window == PEM) {
                return Err(PortError::Misused("the authority's file holds no certificate in PEM".to_owned()));
            }
            parameters = parameters.add_root_certificate(Certificate::from_pem(pem).map_err(wrong)?);
        }
        parameters.build_rustls().map(Some).map_err(wrong)
    }
}
