//! E-mails as they go over the wire.

use firstcome_core::ports::{Mail, PortError};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::{Address, Message as Whole};

/// What SMTP says of an address that cannot be one.
pub(super) const NO_SUCH_ADDRESS: u16 = 553;

/// An e-mail that is ready to be sent.
pub(super) struct Letter {
    pub(super) to: Address,
    pub(super) text: Vec<u8>,
}

impl Letter {
    /// Writes it; none when the address is none by the rules of mail.
    pub(super) fn write(mail: &Mail, from: &str, domain: &str) -> Result<Option<Self>, PortError> {
        let Ok(to) = mail.to.parse::<Address>() else { return Ok(None) };
        let sender: Mailbox = from.parse().map_err(|_| PortError::Misused("smtp.from is no address".to_owned()))?;
        let message: Result<Whole, _> = Message::builder()
            .from(sender)
            .to(Mailbox::new(None, to.clone()))
            .subject(&mail.subject)
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .header(ContentType::TEXT_PLAIN)
            .header(AutoSubmitted)
            .body(mail.body.clone());
        let message = message.map_err(|_| PortError::Misused("an e-mail cannot be written".to_owned()))?;
        Ok(Some(Self { to, text: message.formatted() }))
    }
}

/// Tells holiday responders to be quiet (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
