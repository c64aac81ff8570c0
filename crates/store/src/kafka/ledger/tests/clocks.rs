//! Clocks of several processes that are apart, but not too far.

use firstcome_core::ledger::{Event, ReleaseReason};
use firstcome_core::ports::SystemClock;
use firstcome_core::testkit::Auditor;

use super::super::SKEW;
use super::*;

/// A clock that is ahead of the machine's.
struct Ahead(Duration);

impl Clock for Ahead {
    fn now(&self) -> Time {
        SystemClock.now() + self.0
    }
}

const AHEAD: Duration = Duration::from_millis(700);
const HOLD_FOR: Duration = Duration::from_millis(300);

async fn open(place: &Place, ahead: Duration) -> Arc<KafkaLedger> {
    let options = KafkaLedgerOptions { skew: Some(SKEW), clock: Arc::new(Ahead(ahead)), ..place.options() };
    KafkaLedger::open(options).await.expect("it opens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hold_ends_early_because_a_clock_is_ahead() {
    let place = Place::new();
    let other = place.another();
    let (slow, fast) = (open(&place, Duration::ZERO).await, open(&other, AHEAD).await);
    let now = SystemClock.now();
    let terms = Terms { hold_for_ms: HOLD_FOR.as_millis() as u32, ..terms(OFFER, 5, now) };
    slow.decide(OFFER, Command::SetTerms(terms)).await.expect("decided");
    let (first, second) = (held(&slow, 1).await, held(&slow, 2).await);

    // By the clock that is ahead it is late already, and not without a doubt.
    let (order, attempt) = (first.order, attempt(1));
    let paying = fast.decide(OFFER, Command::BeginPayment { order, attempt }).await.expect("decided");
    assert!(matches!(paying, Outcome::Paying(_)), "{paying:?}");

    eventually("the other is released", async || {
        let found = slow.find(second.order).await.expect("readable");
        found.is_some_and(|hold| !hold.state.is_open())
    })
    .await;
    let released = |event: &Event| {
        let expired = Event::Released { order: second.order, reason: ReleaseReason::Expired };
        *event == expired
    };
    let journal = journal(&slow).await;
    let record = journal.iter().find(|entry| entry.record.events.iter().any(released)).expect("it is written");
    assert!(
        record.record.at >= second.expires_at + SKEW,
        "{:?} is early for {:?}",
        record.record.at,
        second.expires_at
    );
    let mut auditor = Auditor::with_doubt(SKEW);
    journal.iter().for_each(|entry| auditor.take(entry));
    auditor.finish().check().expect("every promise is kept");
    let pays = Command::BeginPayment { order: second.order, attempt };
    assert_eq!(slow.decide(OFFER, pays).await.expect("decided"), Outcome::Expired);
    fast.close();
    slow.close();
}
