//! The topic and the local copy: strange messages, lost copies, topics that are not what they were.

use firstcome_core::ids::EventId;
use firstcome_core::ledger::{Event, Record};
use firstcome_core::testkit::audit;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};

use super::*;
use crate::kafka::ledger::topic::JOURNAL;
use crate::sqlite::ledger::verify_journal;

/// Appends messages by hand.
struct Stranger {
    producer: ThreadedProducer<rdkafka::producer::DefaultProducerContext>,
    topic: String,
}

impl Stranger {
    fn at(place: &Place) -> Self {
        let producer = place.kafka.client().create().expect("a producer");
        Self { producer, topic: place.kafka.topic(JOURNAL) }
    }

    fn append(&self, key: &str, bytes: &[u8]) {
        let record = BaseRecord::to(&self.topic).partition(0).key(key).payload(bytes);
        assert!(self.producer.send(record).is_ok(), "appended");
        self.producer.flush(Duration::from_secs(10)).expect("appended");
    }
}

async fn history(ledger: &KafkaLedger, place: &Place) {
    sell(ledger, place, OFFER, 20).await;
    for number in 0..12 {
        held(ledger, number).await;
    }
    for number in 0..4 {
        pay(ledger, number).await;
    }
}

async fn books(ledger: &KafkaLedger) -> (firstcome_core::ledger::OfferSnapshot, Vec<Option<Hold>>) {
    let state = ledger.snapshot(OFFER).await.expect("known").expect("there");
    let mut holds = Vec::new();
    for number in 0..12 {
        holds.push(ledger.find(order(number, OFFER)).await.expect("known"));
    }
    (state.offer, holds)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_messages_change_nothing() {
    let place = Place::new();
    let ledger = place.open().await;
    history(&ledger, &place).await;
    let (entries, before) = (journal(&ledger).await, books(&ledger).await);
    let stranger = Stranger::at(&place);
    for entry in &entries {
        stranger.append("1", &entry.record.encode());
    }
    let last = entries.last().expect("there are some");
    let record = |prev, first_seq, events| {
        Record { offer: OFFER, id: EventId([9; 16]), prev, first_seq, at: last.record.at, events }.encode()
    };
    let next = last.record.last_seq() + 1;
    stranger.append("1", &record(entries[3].hash, next, vec![Event::Frozen]));
    stranger.append("1", &record(last.hash, next + 1, vec![Event::Frozen]));
    stranger.append("1", &record(last.hash, next, vec![]));
    stranger.append("1", b"");
    stranger.append("1", &[0xff; 300]);
    stranger.append("nobody", &[0x86; 40]);
    stranger.append("barrier", b"");
    stranger.append("barrier", &[1; 16]);
    assert_eq!(journal(&ledger).await, entries);
    assert_eq!(books(&ledger).await, before);
    // It goes on, and another process concludes the same from the whole topic.
    held(&ledger, 12).await;
    let other = place.another();
    let second = other.open().await;
    let all = journal(&ledger).await;
    assert_eq!(all.len(), entries.len() + 1);
    assert_eq!(journal(&second).await, all);
    assert_eq!(books(&second).await, books(&ledger).await);
    audit(&all).check().expect("every promise is kept");
}

/// What a lane that died before it was answered left behind counts when it comes, for everyone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_nobody_that_continues_the_offer_counts() {
    let place = Place::new();
    let ledger = place.open().await;
    history(&ledger, &place).await;
    let entries = journal(&ledger).await;
    let last = entries.last().expect("there are some");
    let (prev, first_seq) = (last.hash, last.record.last_seq() + 1);
    let record =
        Record { offer: OFFER, id: EventId([9; 16]), prev, first_seq, at: last.record.at, events: vec![Event::Frozen] };
    Stranger::at(&place).append("1", &record.encode());
    assert_eq!(journal(&ledger).await.len(), entries.len() + 1);
    let refused = ledger.decide(OFFER, hold(15, OFFER)).await.expect("decided");
    assert_eq!(refused, Outcome::Refused(firstcome_core::ledger::Refusal::Frozen));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_copy_is_made_again() {
    let place = Place::new();
    let ledger = place.open().await;
    history(&ledger, &place).await;
    let (entries, before) = (journal(&ledger).await, books(&ledger).await);
    ledger.close();
    let verified = verify_journal(place.directory.path(), |_| Ok(())).expect("whole");
    assert_eq!((verified.records as usize, verified.witness_missing), (entries.len(), true));

    // Without archive; without copy; with a damaged one; with one of another shop.
    let fresh = MemoryArchive::default();
    let ledger = Place { archive: fresh, ..place }.open_again(&entries, &before).await;
    let place = ledger;
    std::fs::remove_file(place.directory.path().join("journal.db")).expect("removed");
    let mut place = place.open_again(&entries, &before).await;
    // What is put aside may be all that is left of something: it is never written over.
    let damaged = [[7; 5_000], [8; 5_000]];
    for copy in &damaged {
        std::fs::write(place.directory.path().join("journal.db"), copy).expect("written");
        // SQLite would read what is in its log instead, if that is there.
        let _ = std::fs::remove_file(place.directory.path().join("journal.db-wal"));
        place = place.open_again(&entries, &before).await;
    }
    for (number, copy) in (1..).zip(&damaged) {
        let aside = place.directory.path().join(format!("journal.replaced-{number}.db"));
        assert_eq!(std::fs::read(aside).expect("put aside"), copy);
    }
    let stranger = Place::new();
    let ledger = stranger.open().await;
    sell(&ledger, &stranger, OfferNumber(5), 3).await;
    ledger.close();
    stranger.archive.apply(&journal_of(&stranger)).expect("in memory");
    let mixed = Place { directory: stranger.directory, archive: stranger.archive, ..place };
    mixed.open_again(&entries, &before).await;
}

fn journal_of(place: &Place) -> Vec<JournalEntry> {
    let mut entries = Vec::new();
    let visit = |entry: &JournalEntry| {
        entries.push(entry.clone());
        Ok(())
    };
    verify_journal(place.directory.path(), visit).expect("whole");
    entries
}

impl Place {
    /// Opens, compares, and closes.
    async fn open_again(
        self,
        entries: &[JournalEntry],
        before: &(firstcome_core::ledger::OfferSnapshot, Vec<Option<Hold>>),
    ) -> Self {
        let ledger = self.open().await;
        assert_eq!(journal(&ledger).await, entries);
        assert_eq!(&books(&ledger).await, before);
        ledger.close();
        self
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_records_are_read_from_the_copy_and_settled_orders_from_the_archive() {
    let place = Place::new();
    let options = KafkaLedgerOptions { recent_events: 4, writes_archive: true, ..place.options() };
    let ledger = KafkaLedger::open(options).await.expect("it opens");
    history(&ledger, &place).await;
    let entries = journal(&ledger).await;
    assert_eq!(entries.len(), 21);
    for after in [0, entries[4].position, entries[15].position] {
        let expected: Vec<_> = entries.iter().filter(|entry| entry.position > after).take(3).cloned().collect();
        assert_eq!(ledger.entries(after, 3).await.expect("readable"), expected);
    }
    let from = entries[7].record.first_seq;
    assert_eq!(ledger.journal(OFFER, from, 100).await.expect("readable"), entries[7..]);
    eventually("settled orders leave memory", async || ledger.holds_in_memory() == 8).await;
    let (order, attempt) = (order(2, OFFER), attempt(2));
    let again = ledger.decide(OFFER, Command::Commit { order, attempt }).await.expect("decided");
    assert!(matches!(again, Outcome::AlreadyCommitted { .. }), "{again:?}");
    // Another process that has forgotten it as well applies what happens to it.
    let returned =
        Command::Return { order, return_id: firstcome_core::ids::RefundId([3; 16]), quantity: 1, restock: true };
    let other = place.another();
    let second = other.open().await;
    let returned = second.decide(OFFER, returned).await;
    // Its archive was filled at the start.
    assert!(matches!(returned, Ok(Outcome::Returned { .. })), "{returned:?}");
    eventually("both agree", async || {
        let (here, there) = (ledger.snapshot(OFFER).await, second.snapshot(OFFER).await);
        here.expect("known").map(|state| state.offer) == there.expect("known").map(|state| state.offer)
    })
    .await;
    let hold = ledger.find(order).await.expect("known").expect("there");
    assert_eq!(hold.returned(), 1);
}

/// Everyone at once, with as much as fits into an order: what is too large for one message becomes several records.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_too_large_is_halved() {
    let place = Place::new();
    let ledger = place.open().await;
    sell(&ledger, &place, OFFER, 2_000).await;
    let line = |number| firstcome_core::ledger::Line {
        offer: OfferId([number; 16]),
        quantity: 1,
        unit_price: Money::new(1, Currency::KRW),
        seq: None,
    };
    let large = |number: u64, lines: usize| {
        let Command::Hold(mut request) = hold(number, OFFER) else { return Command::Expire };
        let other_lines = (0..lines).map(|index| line(index as u8)).collect();
        request.facts = Some(Box::new(firstcome_core::ledger::Facts { other_lines, ..Default::default() }));
        Command::Hold(request)
    };
    let tasks: Vec<_> = (0..600)
        .map(|number| (ledger.clone(), large(number, 1_000)))
        .map(|(ledger, command)| tokio::spawn(async move { ledger.decide(OFFER, command).await }))
        .collect();
    for task in tasks {
        let outcome = task.await.expect("no panic");
        assert!(matches!(outcome, Ok(Outcome::Held(_))), "{outcome:?}");
    }
    let refused = ledger.decide(OFFER, large(700, 300_000)).await;
    assert!(matches!(refused, Err(firstcome_core::ports::PortError::Misused(_))), "{refused:?}");
    held(&ledger, 701).await;
    let entries = journal(&ledger).await;
    audit(&entries).check().expect("every promise is kept");
    let events: usize = entries.iter().map(|entry| entry.record.events.len()).sum();
    assert_eq!(events, 602);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_per_directory() {
    let place = Place::new();
    let _ledger = place.open().await;
    let second = KafkaLedger::open(place.options()).await.map(|_| ()).expect_err("refused");
    assert!(second.to_string().contains("another process"), "{second}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_are_apart_decide_nothing() {
    let place = Place::new();
    let options = KafkaLedgerOptions { skew: Some(Duration::from_secs(1)), ..place.options() };
    let ledger = KafkaLedger::open(options).await.expect("it opens");
    let command = Command::SetTerms(terms(OFFER, 5, place.clock.now()));
    let refused = ledger.decide(OFFER, command.clone()).await.expect_err("refused");
    assert!(refused.is_retryable() && refused.to_string().contains("clock"), "{refused}");
    // Somebody sets the clock.
    let real = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_micros() as i64;
    place.clock.set(Time(real));
    eventually("it decides again", async || ledger.trouble().is_none()).await;
    assert_eq!(ledger.decide(OFFER, command).await.expect("decided"), Outcome::Done { seq: 1 });
}

/// What every process has read is what a topic says in which every record stands twice and offers take turns otherwise: in
/// another order of offers, and of one offer in its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_with_everything_twice_and_offers_out_of_order_is_the_same() {
    let place = Place::new();
    let ledger = place.open().await;
    let offers = [OFFER, OfferNumber(2), OfferNumber(3)];
    for offer in offers {
        sell(&ledger, &place, offer, 5).await;
    }
    // More than there are units, of all offers in turn.
    for number in 0..8 {
        for offer in offers {
            ledger.decide(offer, hold(number, offer)).await.expect("decided");
        }
    }
    pay(&ledger, 1).await;
    let entries = journal(&ledger).await;
    let of = |offer| entries.iter().filter(move |entry| entry.record.offer == offer);

    let elsewhere = Place { clock: place.clock.clone(), ..Place::new() };
    let first = elsewhere.open().await;
    let stranger = Stranger::at(&elsewhere);
    let mut left: Vec<_> = offers.map(of).into_iter().map(Iterator::collect::<Vec<_>>).collect();
    while left.iter().any(|entries| !entries.is_empty()) {
        // The last offer's come first, in other portions, and what came before comes again behind it.
        for (portion, entries) in left.iter_mut().rev().enumerate() {
            let some: Vec<_> = entries.drain(..entries.len().min(portion * 2 + 1)).collect();
            for entry in some.iter().chain(&some) {
                stranger.append(&entry.record.offer.to_string(), &entry.record.encode());
            }
        }
    }

    // One process read as it came, the other begins with all of it.
    let another = elsewhere.another();
    let second = another.open().await;
    for reader in [&first, &second] {
        let read = journal(reader).await;
        assert_eq!(read.len(), entries.len(), "each counts once");
        let order = |entries: &[JournalEntry]| entries.iter().map(|entry| entry.record.offer).collect::<Vec<_>>();
        assert_ne!(order(&read), order(&entries), "the offers took turns otherwise");
        for offer in offers {
            let records: Vec<_> =
                read.iter().filter(|entry| entry.record.offer == offer).map(|entry| &entry.record).collect();
            assert_eq!(records, of(offer).map(|entry| &entry.record).collect::<Vec<_>>());
            let state = async |ledger: &KafkaLedger| ledger.snapshot(offer).await.expect("known").expect("there").offer;
            assert_eq!(state(reader).await, state(&ledger).await);
        }
        audit(&read).check().expect("every promise is kept");
    }
    let late = first.decide(OfferNumber(2), hold(20, OfferNumber(2))).await.expect("decided");
    assert!(matches!(late, Outcome::Refused(_)), "sold out, as it was: {late:?}");
}
