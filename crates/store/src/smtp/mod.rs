//! E-mail through an SMTP server.
//!
//! A connection is used again for the next e-mail, and closed when anything but the refusal of one e-mail comes up on it.
//! What servers say is not passed on, since it names the person: only their reply codes are.

mod message;
mod options;
mod reply;

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ports::{Delivery, Mail, Mailer, PortError};
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Noop, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use parking_lot::Mutex;
use secrecy::ExposeSecret as _;
use tokio::time::timeout;

use self::message::Letter;
pub use self::options::{SmtpOptions, SmtpTls};

/// An SMTP server.
pub struct Smtp {
    options: SmtpOptions,
    sender: Address,
    tls: Option<TlsParameters>,
    hello: ClientId,
    /// Connections that wait for the next e-mail.
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl Smtp {
    /// A server that is asked nothing yet. Refuses options that cannot work.
    pub fn new(options: SmtpOptions) -> Result<Arc<Self>, PortError> {
        let sender = options.from.parse::<lettre::message::Mailbox>();
        let sender = sender.map_err(|error| PortError::Misused(format!("smtp.from: {error}")))?.email;
        let tls = options.parameters()?;
        Ok(Arc::new(Self { options, sender, tls, hello: ClientId::default(), idle: Mutex::default() }))
    }

    /// Connects and logs in, as the first e-mail would.
    pub async fn check(&self) -> Result<(), PortError> {
        let connection = self.within_time(self.connect()).await?;
        self.keep(connection);
        Ok(())
    }

    async fn within_time<T>(&self, work: impl Future<Output = Result<T, PortError>>) -> Result<T, PortError> {
        let limit = self.options.timeout;
        timeout(limit, work).await.unwrap_or_else(|_| Err(self.unavailable("did not answer in time")))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, PortError> {
        let SmtpOptions { host, port, timeout, .. } = &self.options;
        let at_once = self.tls.clone().filter(|_| self.options.tls == SmtpTls::Tls);
        let connected =
            AsyncSmtpConnection::connect_tokio1((host.as_str(), *port), Some(*timeout), &self.hello, at_once, None);
        let mut connection = connected.await.map_err(|error| self.failed("cannot be reached", &error))?;
        if let Some(tls) = self.tls.clone().filter(|_| self.options.tls == SmtpTls::Starttls) {
            let secured = connection.starttls(tls, &self.hello).await;
            secured.map_err(|error| self.failed("does not begin TLS with a certificate that holds", &error))?;
        }
        if let Some((user, password)) = &self.options.log_in {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            let entered = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            entered.map_err(|error| self.failed("refuses the log-in", &error))?;
        }
        Ok(connection)
    }

    /// A connection that answers.
    async fn connection(&self) -> Result<AsyncSmtpConnection, PortError> {
        loop {
            let waiting = self.idle.lock().pop();
            let Some(mut connection) = waiting else { return self.connect().await };
            if connection.command(Noop).await.is_ok() {
                return Ok(connection);
            }
        }
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock();
        if idle.len() < self.options.connections {
            idle.push(connection);
        }
    }

    /// Gives a letter to the server. Refused for good is only what concerns its receiver or its text.
    async fn hand_over(&self, letter: Letter) -> Result<Delivery, PortError> {
        let mut connection = self.connection().await?;
        let sender = MailFrom::new(Some(self.sender.clone()), Vec::new());
        connection.command(sender).await.map_err(|error| self.failed("refuses the sender", &error))?;
        let taken = match connection.command(Rcpt::new(letter.to, Vec::new())).await {
            Ok(_) => match connection.command(Data).await {
                Ok(_) => connection.message(&letter.text).await,
                refused => refused,
            },
            refused => refused,
        };
        match taken {
            Ok(_) => {
                self.keep(connection);
                Ok(Delivery::Accepted)
            }
            Err(error) => {
                connection.abort().await;
                if reply::is_about_sender(&error) {
                    return Err(self.failed("does not let this sender through", &error));
                }
                let code = error.status().filter(|_| error.is_permanent()).map(u16::from);
                code.map(Delivery::Refused).ok_or_else(|| self.failed("does not take it now", &error))
            }
        }
    }

    /// The code is told, the words are not: they may name the receiver.
    fn failed(&self, what: &str, error: &Error) -> PortError {
        match error.status() {
            Some(code) => self.unavailable(&format!("{what} ({code})")),
            None if error.is_tls() => self.unavailable(&format!("{what} (TLS)")),
            None => self.unavailable(what),
        }
    }

    fn unavailable(&self, what: &str) -> PortError {
        PortError::Unavailable(format!("the SMTP server {}:{} {what}", self.options.host, self.options.port))
    }
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &Mail) -> Result<Delivery, PortError> {
        match Letter::write(mail, &self.options.from, self.sender.domain())? {
            Some(letter) => self.within_time(self.hand_over(letter)).await,
            None => Ok(Delivery::Refused(message::NO_SUCH_ADDRESS)),
        }
    }
}
