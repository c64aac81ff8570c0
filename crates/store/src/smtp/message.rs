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
        let mut builder = Message::builder();
        if let Some(address) = &mail.unsubscribe {
            builder = builder.header(ListUnsubscribe(format!("<{address}>"))).header(ListUnsubscribePost);
        }
        let message: Result<Whole, _> = builder
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

/// A header that is written and never read.
macro_rules! header {
    ($type:ident = $name:literal, |$header:pat_param| $value:expr) => {
        impl Header for $type {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($name)
            }

            fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
                Err("it is only written".into())
            }

            fn display(&self) -> HeaderValue {
                let $header = self;
                HeaderValue::new(Self::name(), $value)
            }
        }
    };
}

/// Tells holiday responders to be quiet (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

/// Where whoever gets advertising ends it (RFC 2369).
#[derive(Clone)]
struct ListUnsubscribe(String);

/// Says that one POST there is enough (RFC 8058).
#[derive(Clone)]
struct ListUnsubscribePost;

header!(AutoSubmitted = "Auto-Submitted", |_| "auto-generated".to_owned());
header!(ListUnsubscribe = "List-Unsubscribe", |Self(address)| address.clone());
header!(ListUnsubscribePost = "List-Unsubscribe-Post", |_| "List-Unsubscribe=One-Click".to_owned());
