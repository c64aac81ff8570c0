//! E-mail.

use async_trait::async_trait;

use super::PortError;

/// One e-mail in plain text. Personal: never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Who gets it.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
}

/// Hands e-mails to whatever delivers them.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Accepts an e-mail for delivery. An answer of `Ok` means that it is on its way, not that it was read.
    async fn send(&self, mail: Mail) -> Result<(), PortError>;
}
