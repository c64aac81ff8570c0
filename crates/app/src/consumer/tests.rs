//! Two processes of one consumer over one database.

use firstcome_core::events::topics;
use firstcome_core::ids::UserId;
use firstcome_core::record;
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use firstcome_core::testkit::{MemoryLog, MemoryRecords, TestClock};
use firstcome_core::time::Time;
use parking_lot::Mutex as Lock;

use super::*;

record! {
    /// What the consumer commits.
    #[derive(Clone, PartialEq, Eq, Debug)]
    struct Seen in "seen" {
        user: UserId,
        times: i64,
    }
    indexes []
}

/// Commits who registered, and remembers them.
struct Remember {
    keeps_memory: bool,
    memory: Lock<Vec<UserId>>,
}

#[async_trait]
impl Handler<LoggedEvent> for Remember {
    fn name(&self) -> &'static str {
        "test.remember"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items {
            if let RoleEvent::UserRegistered { user, .. } = parse(event)? {
                self.memory.lock().push(user);
                unit = unit.insert(&Seen { user, times: 1 });
            }
        }
        Ok(unit)
    }

    fn keeps_memory(&self) -> bool {
        self.keeps_memory
    }
}

struct World {
    accounts: Arc<MemoryRecords>,
    books: Arc<MemoryRecords>,
    registered: u8,
}

impl World {
    fn new() -> Self {
        let accounts = Arc::new(MemoryRecords::new(topics::ACCOUNTS, &[]));
        let books = Arc::new(MemoryRecords::new(topics::ORDERS, &[Seen::TABLE, DeadLetter::TABLE]));
        Self { accounts, books, registered: 0 }
    }

    fn process(&self, keeps_memory: bool) -> Consumer<LoggedEvent, Remember> {
        let log = Arc::new(MemoryLog(vec![self.accounts.clone()]));
        let (records, clock) =
            (self.books.clone() as Arc<dyn Records>, Arc::new(TestClock::default()) as Arc<dyn Clock>);
        let handler = Remember { keeps_memory, memory: Lock::default() };
        let consumer = Consumer::new(Topic { log, name: topics::ACCOUNTS }, &records, &clock, handler);
        consumer.in_batches_of(2).beginning_at(Turn::at(0))
    }

    async fn register(&mut self, count: u8) {
        for _ in 0..count {
            self.registered += 1;
            let event = RoleEvent::UserRegistered { user: UserId([self.registered; 16]), address: None };
            let unit = Unit::new().event(&event, Time(i64::from(self.registered)));
            assert_eq!(self.accounts.commit(unit).await.unwrap(), Committed::Done);
        }
    }

    fn everyone(&self) -> Vec<UserId> {
        (1..=self.registered).map(|number| UserId([number; 16])).collect()
    }

    async fn letters(&self) -> usize {
        self.books.list::<DeadLetter>(Query::all(DeadLetter::TABLE, 100)).await.unwrap().len()
    }

    async fn committed(&self) -> Vec<UserId> {
        let rows = self.books.list::<Seen>(Query::all(Seen::TABLE, 100)).await.unwrap();
        rows.into_iter().map(|row| row.record.user).collect()
    }
}

#[tokio::test]
async fn what_one_process_commits_the_other_leaves_alone() {
    let mut world = World::new();
    let (one, two) = (world.process(false), world.process(false));
    for _ in 0..5 {
        world.register(5).await;
        one.catch_up().await.unwrap();
        world.register(2).await;
        // It believes to be where it was before the other came by.
        two.catch_up().await.unwrap();
    }
    assert_eq!(world.committed().await, world.everyone());
    assert_eq!(world.letters().await, 0);
}

#[tokio::test]
async fn who_keeps_something_in_memory_sees_everything_in_every_process() {
    let mut world = World::new();
    let (one, two) = (world.process(true), world.process(true));
    for round in 0..4 {
        world.register(5).await;
        one.catch_up().await.unwrap();
        if round % 2 == 0 {
            two.catch_up().await.unwrap();
            world.register(3).await;
            two.catch_up().await.unwrap();
        }
    }
    one.catch_up().await.unwrap();
    two.catch_up().await.unwrap();
    assert_eq!(world.committed().await, world.everyone());
    assert_eq!(world.letters().await, 0);
    for process in [one, two] {
        // What met a conflict is seen once more.
        let mut memory = process.handler.memory.into_inner();
        memory.sort_unstable();
        memory.dedup();
        assert_eq!(memory, world.everyone());
    }
}
