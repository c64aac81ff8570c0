//! The first question to Kafka, and why it is not answered: an error of its client is only "broker transport failure", and the
//! reason is what the client says beside it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

use super::KafkaOptions;
use super::aside::Aside;

/// How often what the client has to say is asked for.
const WORDS: usize = 20;

/// Nobody opens.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    /// What happened.
    pub(super) why: String,
    /// A broker was reached, and does not take the user's name or password.
    pub(super) refused: bool,
}

/// Asks for the brokers and all topics.
pub(super) async fn knock(options: &KafkaOptions, patience: Duration) -> Result<Metadata, Closed> {
    let heard = Heard::default();
    let asked = ask(options, heard.clone(), patience).await;
    asked.map_err(|error| heard.0.lock().take().unwrap_or_else(|| Closed { why: error.to_string(), refused: false }))
}

async fn ask(options: &KafkaOptions, heard: Heard, patience: Duration) -> Result<Metadata, KafkaError> {
    let client: BaseProducer<Heard> = options.client().create_with_context(heard)?;
    let client = Aside::new(client);
    let asked = tokio::task::spawn_blocking(move || {
        let answer = client.client().fetch_metadata(None, patience);
        // Only now what it said of its connections is handed on.
        (0..WORDS).for_each(|_| client.poll(Duration::ZERO));
        answer
    });
    asked.await.map_err(|_| KafkaError::Canceled)?
}

/// Remembers the last complaint, or the first about a name or password, which is followed by closed connections.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Option<Closed>>>);

impl ClientContext for Heard {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
        let code = error.rdkafka_error_code();
        let mut last = self.0.lock();
        if last.as_ref().is_some_and(|last| last.refused) || code == Some(RDKafkaErrorCode::AllBrokersDown) {
            return;
        }
        // How long it took is of no interest.
        let why = reason.split(" (after ").next().unwrap_or(reason).to_owned();
        *last = Some(Closed { why, refused: code == Some(RDKafkaErrorCode::Authentication) });
    }
}

impl ProducerContext for Heard {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
