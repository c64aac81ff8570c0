//! Kafka stops in mid-sale, and comes back. Each test has a Kafka of its own, started by `scripts/servers`.

use std::time::Instant;

use firstcome_core::ids::EventId;
use firstcome_core::ports::PortError;
use firstcome_core::testkit::audit;

use super::*;
use crate::kafka::testing::Broker;

/// What buyers were told while they kept asking.
#[derive(Default)]
struct Told {
    held: Vec<u64>,
    unknown: Vec<u64>,
    longest: Duration,
}

/// Asks on for new orders until told to stop.
async fn buy(ledger: Arc<KafkaLedger>, first: u64, stop: tokio::sync::watch::Receiver<bool>) -> Told {
    let mut told = Told::default();
    for number in first.. {
        let asked = Instant::now();
        match ledger.decide(OFFER, hold(number, OFFER)).await {
            Ok(Outcome::Held(_)) => told.held.push(number),
            Err(PortError::Unavailable(_)) => told.unknown.push(number),
            other => panic!("{other:?}"),
        }
        told.longest = told.longest.max(asked.elapsed());
        if *stop.borrow() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    told
}

/// A sale on two processes while something happens to Kafka: who was told of a hold has it, and it goes on by itself.
async fn sale_through(broker: &Broker, outage: impl AsyncFnOnce(&[Arc<KafkaLedger>; 2])) {
    let place = Place::at(broker.kafka());
    let other = place.another();
    let ledgers = [place.open().await, other.open().await];
    sell(&ledgers[0], &place, OFFER, 1_000_000).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let buyers: Vec<_> = (0..8_u64)
        .map(|buyer| {
            let ledger = ledgers[buyer as usize % 2].clone();
            tokio::spawn(buy(ledger, buyer * 1_000_000, stopped.clone()))
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    outage(&ledgers).await;
    for ledger in &ledgers {
        eventually("it decides again", async || ledger.trouble().is_none()).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.send_replace(true);
    let (mut held, mut unknown) = (Vec::new(), 0);
    for buyer in buyers {
        let told = buyer.await.expect("no panic");
        unknown += told.unknown.len();
        held.extend(told.held);
    }
    assert!(unknown > 0, "nobody noticed the outage");
    for number in &held {
        for ledger in &ledgers {
            let found = ledger.find(order(*number, OFFER)).await.expect("known");
            assert!(found.is_some(), "order {number} was answered and is lost");
        }
    }
    let entries = journal(&ledgers[0]).await;
    assert_eq!(journal(&ledgers[1]).await, entries);
    audit(&entries).check().expect("every promise is kept");
    let last = entries.last().expect("there are some").record.last_seq();
    assert!(held.len() > 100, "most of it was an outage");
    for ledger in &ledgers {
        assert_eq!(ledger.snapshot(OFFER).await.expect("known").expect("there").offer.seq, last);
        assert_eq!(ledger.holds_in_memory() as u64, last - 1);
    }
}

/// What an outage looks like to whoever asks: nothing is known, not even that an order is to be refused.
async fn is_noticed(ledger: &KafkaLedger) {
    eventually("it notices", async || ledger.trouble().is_some()).await;
    let command = Command::Adjust { id: EventId([7; 16]), delta: 1 };
    let answer = ledger.decide(OFFER, command).await;
    assert!(matches!(answer, Err(PortError::Unavailable(_))), "{answer:?}");
    let Command::Hold(mut request) = hold(1 << 39, OFFER) else { return };
    request.quantity = 3;
    let refused = ledger.decide(OFFER, Command::Hold(request)).await;
    assert!(matches!(refused, Err(PortError::Unavailable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_stands_still_for_a_while() {
    let broker = Broker::start();
    sale_through(&broker, async |ledgers| {
        broker.signal("-STOP");
        is_noticed(&ledgers[0]).await;
        is_noticed(&ledgers[1]).await;
        broker.signal("-CONT");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_dies_and_comes_back() {
    let broker = Broker::start();
    sale_through(&broker, async |ledgers| {
        broker.servers(&["kill", "kafka"]);
        is_noticed(&ledgers[0]).await;
        is_noticed(&ledgers[1]).await;
        broker.servers(&["start", "kafka"]);
    })
    .await;
}

/// The journal is not the one that was answered from: the process ends, and no start makes a new one of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_lost_its_records_is_noticed() {
    let broker = Broker::start();
    let place = Place::at(broker.kafka());
    let ledger = place.open().await;
    sell(&ledger, &place, OFFER, 10).await;
    for number in 0..10 {
        held(&ledger, number).await;
    }
    journal(&ledger).await;
    let admin: rdkafka::admin::AdminClient<_> = place.kafka.client().create().expect("an admin");
    let topic = place.kafka.topic(super::super::topic::JOURNAL);
    let deleted = admin.delete_topics(&[&topic], &rdkafka::admin::AdminOptions::new()).await.expect("asked");
    assert!(deleted[0].is_ok(), "{deleted:?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    crate::kafka::topics::ensure(&place.kafka, super::super::topic::JOURNAL).await.expect("made again");
    let failure = ledger.failed().await;
    assert!(matches!(failure, PortError::Lost(_)), "{failure}");
    assert!(matches!(ledger.decide(OFFER, Command::Freeze).await, Err(PortError::Lost(_))));
    ledger.close();
    let refused = KafkaLedger::open(place.options()).await.err().expect("the copy knows more");
    assert!(matches!(&refused, PortError::Lost(reason) if reason.contains("move that file away")), "{refused}");
    std::fs::remove_file(place.directory.path().join("journal.db")).expect("given up");
    let ledger = place.open().await;
    assert_eq!(ledger.snapshot(OFFER).await.expect("known"), None);
    sell(&ledger, &place, OFFER, 10).await;
}
