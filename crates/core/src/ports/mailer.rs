//! E-mail.

use async_trait::async_trait;

use super::PortError;
use crate::ids::MailId;

/// One e-mail in plain text. Personal: never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// The same for every try to deliver it, so that a second copy can be known for one.
    pub id: MailId,
    /// Who gets it.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// Of advertising: where a POST ends it, which mail programs offer as a button (RFC 8058).
    pub unsubscribe: Option<String>,
}

/// What became of an e-mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// It is on its way, and somebody else's to deliver now.
    Accepted,
    /// This e-mail will never be taken, however often it is tried; the reply code of SMTP says why.
    Refused(u16),
}

/// Hands e-mails to whatever delivers them.
///
/// - [`Delivery`] is about this very e-mail. Whatever is wrong with the way to the server, with its log-in or with the
///   sender is an error, and the e-mail can be tried again.
/// - After an error the e-mail may have been accepted all the same.
/// - Neither errors nor logs say to whom it goes or what it says.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Hands an e-mail over.
    async fn send(&self, mail: &Mail) -> Result<Delivery, PortError>;
}
