//! Offers that cost nothing, whose units are granted for good at once.

use firstcome_core::ledger::Refusal;

use super::*;
use crate::kafka::ledger::topic::JOURNAL;
use crate::kafka::reader::Reader;

/// How many messages the journal's topic has.
async fn messages(place: &Place) -> i64 {
    let reader = Reader::look(&place.kafka, &place.kafka.topic(JOURNAL)).expect("a reader");
    reader.range().await.expect("the topic").end
}

/// Whoever is refused waits for one proof that what is known is current, whatever the price.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_costs_one_barrier() {
    let place = Place::new();
    let ledger = place.open().await;
    for (offer, price) in [(OfferNumber(1), 0), (OfferNumber(2), 10_000)] {
        let terms = Terms { price: Money::new(price, Currency::KRW), ..terms(offer, 1, place.clock.now()) };
        ledger.decide(offer, Command::SetTerms(terms)).await.expect("decided");
        let first = ledger.decide(offer, hold(1, offer)).await.expect("decided");
        assert!(matches!(first, Outcome::Granted(_) | Outcome::Held(_)), "{first:?}");
        let before = messages(&place).await;
        let late = ledger.decide(offer, hold(2, offer)).await.expect("decided");
        assert!(matches!(late, Outcome::Refused(Refusal::SoldOut { .. })), "{late:?}");
        assert_eq!(messages(&place).await - before, 1, "at a price of {price}");
    }
}
