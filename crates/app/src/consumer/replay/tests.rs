//! What is buried is replayed once, whoever asks, how often, and in which process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::UserId;
use firstcome_core::ports::{Clock, LoggedEvent, Records};
use firstcome_core::record;
use firstcome_core::records::{NewEvent, Query, Record as _};
use firstcome_core::testkit::{MemoryLog, MemoryRecords, TestClock};
use firstcome_core::time::Time;
use tokio::sync::Notify;

use super::*;
use crate::consumer::{Topic, Turn, parse};

record! {
    /// What the consumer commits.
    #[derive(Clone, PartialEq, Eq, Debug)]
    struct Seen in "seen" {
        user: UserId,
        times: i64,
    }
    indexes []
}

/// What keeps events from being handled, shared by all processes.
#[derive(Default)]
struct Trouble {
    refuses: AtomicBool,
    fails: AtomicBool,
    /// Waits in the handler until it is told to go on.
    waits: AtomicBool,
    go_on: Notify,
    /// How often an event was handled, whatever came of it.
    handled: AtomicUsize,
}

struct Register(Arc<Trouble>);

#[async_trait]
impl Handler<LoggedEvent> for Register {
    fn name(&self) -> &'static str {
        "test.register"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        self.0.handled.fetch_add(1, Ordering::Relaxed);
        if self.0.waits.load(Ordering::Relaxed) {
            self.0.go_on.notified().await;
        }
        tokio::task::yield_now().await;
        if self.0.fails.load(Ordering::Relaxed) {
            return Err(PortError::Unavailable("the ledger".to_owned()).into());
        }
        if self.0.refuses.load(Ordering::Relaxed) {
            return Err(HandleError::Rejected("not today".to_owned()));
        }
        let mut unit = Unit::new();
        for event in items {
            if let RoleEvent::UserRegistered { user, .. } = parse(event)? {
                unit = unit.insert(&Seen { user, times: 1 });
            }
        }
        Ok(unit)
    }
}

struct World {
    clock: TestClock,
    accounts: Arc<MemoryRecords>,
    books: Arc<MemoryRecords>,
    trouble: Arc<Trouble>,
}

impl World {
    fn new() -> Self {
        Self {
            clock: TestClock::at(Time::from_millis(1_800_000_000_000)),
            accounts: Arc::new(MemoryRecords::new(topics::ACCOUNTS, &[])),
            books: Arc::new(MemoryRecords::new(topics::ORDERS, &[Seen::TABLE, DeadLetter::TABLE])),
            trouble: Arc::default(),
        }
    }

    fn process(&self) -> Consumer<LoggedEvent, Register> {
        let log = Arc::new(MemoryLog(vec![self.accounts.clone()]));
        let (records, clock) = (self.books.clone() as Arc<dyn Records>, Arc::new(self.clock.clone()) as Arc<dyn Clock>);
        let handler = Register(self.trouble.clone());
        let consumer = Consumer::new(Topic { log, name: topics::ACCOUNTS }, &records, &clock, handler);
        consumer.in_batches_of(8).beginning_at(Turn::at(0))
    }

    async fn announce(&self, data: &str) {
        let (kind, subject) = ("user.registered".to_owned(), "usr".to_owned());
        let event = NewEvent { id: EventId([7; 16]), kind, subject, at: Time(1), data: data.to_owned() };
        let unit = Unit { events: vec![event], ..Unit::new() };
        assert_eq!(self.accounts.commit(unit).await.unwrap(), Committed::Done);
    }

    async fn register(&self, user: UserId) {
        let event = RoleEvent::UserRegistered { user, address: None }.to_new(Time(1));
        self.announce(&event.data).await;
    }

    /// One person registers, and nobody can handle that.
    async fn buried() -> (Self, Consumer<LoggedEvent, Register>, DeadLetter) {
        let world = Self::new();
        let process = world.process();
        world.trouble.refuses.store(true, Ordering::Relaxed);
        world.register(UserId([1; 16])).await;
        process.catch_up().await.unwrap();
        world.trouble.handled.store(0, Ordering::Relaxed);
        let letter = world.letters().await.pop().expect("it is buried");
        (world, process, letter)
    }

    fn mend(&self) {
        self.trouble.refuses.store(false, Ordering::Relaxed);
    }

    fn handled(&self) -> usize {
        self.trouble.handled.load(Ordering::Relaxed)
    }

    async fn letters(&self) -> Vec<DeadLetter> {
        let rows = self.books.list::<DeadLetter>(Query::all(DeadLetter::TABLE, 100)).await.unwrap();
        rows.into_iter().map(|row| row.record).collect()
    }

    async fn seen(&self) -> usize {
        self.books.list::<Seen>(Query::all(Seen::TABLE, 100)).await.unwrap().len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_replayed_when_its_cause_is_mended() {
    let (world, process, letter) = World::buried().await;
    assert_eq!((letter.reason.as_str(), letter.position, letter.replayed_at), ("not today", 1, None));
    let again = process.replay(letter.id).await.unwrap();
    assert_eq!(again, Some(Replayed::Failed("not today".to_owned())));
    assert_eq!(world.letters().await, std::slice::from_ref(&letter), "nothing has changed");

    world.trouble.fails.store(true, Ordering::Relaxed);
    assert!(process.replay(letter.id).await.is_err_and(|error| error.is_retryable()));
    assert_eq!(world.letters().await, std::slice::from_ref(&letter), "nothing has changed");
    world.trouble.fails.store(false, Ordering::Relaxed);

    world.mend();
    let done = DeadLetter { replayed_at: Some(world.clock.now()), ..letter.clone() };
    assert_eq!(process.replay(letter.id).await.unwrap(), Some(Replayed::Done(done.clone())));
    assert_eq!((world.seen().await, world.handled()), (1, 3));
    world.clock.advance(LEASE);
    let other = world.process();
    for process in [&process, &other] {
        assert_eq!(process.replay(letter.id).await.unwrap(), Some(Replayed::Done(done.clone())), "what is");
    }
    assert_eq!((world.seen().await, world.handled()), (1, 3));
    assert_eq!(process.replay(EventId([9; 16])).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn those_behind_it_go_on_and_it_does_not_come_back() {
    let (world, process, letter) = World::buried().await;
    world.mend();
    world.announce("{").await;
    world.register(UserId([2; 16])).await;
    process.catch_up().await.unwrap();
    assert_eq!((world.seen().await, world.letters().await.len()), (1, 2));
    process.replay(letter.id).await.unwrap();
    assert_eq!(world.seen().await, 2);
    let unreadable = world.letters().await.into_iter().find(|letter| letter.position == 2).expect("buried too");
    assert_eq!(unreadable.data, "{");
    let again = process.replay(unreadable.id).await.unwrap();
    assert_eq!(again, Some(Replayed::Failed(unreadable.reason.clone())));
    process.catch_up().await.unwrap();
    assert_eq!((world.seen().await, world.letters().await.len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn two_operators_at_once_are_one() {
    for _ in 0..20 {
        let (world, one, letter) = World::buried().await;
        let two = world.process();
        world.mend();
        let (first, second, third) = tokio::join!(one.replay(letter.id), two.replay(letter.id), one.replay(letter.id));
        let answers = [first, second, third].map(|answer| answer.unwrap().expect("it is there"));
        assert!(answers.iter().any(|answer| matches!(answer, Replayed::Done(_))), "{answers:?}");
        assert!(!answers.iter().any(|answer| matches!(answer, Replayed::Failed(_))), "{answers:?}");
        assert_eq!((world.seen().await, world.handled()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_died_in_it_holds_it_for_a_while_and_one_that_stood_still_does_nothing_more() {
    let (world, one, letter) = World::buried().await;
    let two = world.process();
    world.mend();
    world.trouble.waits.store(true, Ordering::Relaxed);
    let still = one.replay(letter.id);
    tokio::pin!(still);
    assert!(tokio::time::timeout(std::time::Duration::from_secs(1), &mut still).await.is_err(), "it stands");
    world.trouble.waits.store(false, Ordering::Relaxed);
    assert_eq!(two.replay(letter.id).await.unwrap(), Some(Replayed::UnderWay));
    world.clock.advance(LEASE);
    assert!(matches!(two.replay(letter.id).await.unwrap(), Some(Replayed::Done(_))));
    world.trouble.go_on.notify_one();
    assert_eq!(still.await.unwrap(), Some(Replayed::UnderWay), "it has another's mark");
    assert_eq!(world.seen().await, 1);
    assert!(matches!(one.replay(letter.id).await.unwrap(), Some(Replayed::Done(_))));
}

#[tokio::test(start_paused = true)]
async fn what_was_done_by_other_means_is_said_and_changes_nothing() {
    let (world, process, letter) = World::buried().await;
    world.mend();
    let seen = Seen { user: UserId([1; 16]), times: 5 };
    assert_eq!(world.books.commit(Unit::new().insert(&seen)).await.unwrap(), Committed::Done);
    let again = process.replay(letter.id).await.unwrap();
    assert_eq!(again, Some(Replayed::Failed("write 0 met a newer version of its row".to_owned())));
    assert_eq!(world.letters().await, [letter]);
}

#[tokio::test(start_paused = true)]
async fn another_log_is_noticed() {
    let (mut world, _, letter) = World::buried().await;
    world.mend();
    world.accounts = Arc::new(MemoryRecords::new(topics::ACCOUNTS, &[]));
    let late = world.process().replay(letter.id).await;
    assert!(late.is_err_and(|error| error.is_retryable()), "it may still come");
    let event = NewEvent {
        kind: "session.revoked".to_owned(),
        ..RoleEvent::UserRegistered { user: UserId([3; 16]), address: None }.to_new(Time(1))
    };
    world.accounts.commit(Unit { events: vec![event], ..Unit::new() }).await.unwrap();
    let other = world.process().replay(letter.id).await.unwrap();
    assert!(matches!(&other, Some(Replayed::Failed(reason)) if reason.contains("position 1 of accounts")), "{other:?}");
    assert_eq!((world.letters().await, world.handled()), (vec![letter], 0));
}
