//! The settlement check: each class of finding, what is under way, nights, and stops in the middle.

use std::time::Duration;

use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::ports::{Clock as _, Movement, ProviderTransaction, Records as _};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored, Unit};
use jiff::civil::Date;

use super::shop::{PRICE, Shop};
use crate::harm::Harm;
use crate::payments::quarantine::resolve::Found;
use crate::payments::rows::{Payment, Refund};
use crate::payments::settlement::{Finding, Settlement};

/// Until the night after the shop opened is over.
const A_NIGHT: Duration = Duration::from_hours(24);

impl Shop {
    /// An order that is paid under this key.
    async fn paid(&mut self, key: &str) -> OrderId {
        let order = self.order(key);
        self.provider.pay(key, &order.to_string(), PRICE);
        assert_eq!(self.confirm(key, order, key).await, Some(200));
        order
    }

    /// Checks every day that is due, over as many tries as it takes.
    async fn settle(&mut self) {
        for _ in 0..64 {
            let payments = std::sync::Arc::clone(&self.payments);
            let mut planned = None;
            let worked = tokio::select! {
                worked = payments.settle_days(&mut planned) => Some(worked),
                () = self.steps.crash() => None,
            };
            match worked {
                None => self.restart(),
                Some(Ok(false)) if self.runs().await.iter().all(|run| run.ended_at.is_some()) => return,
                Some(_) => {
                    self.clock.advance(Duration::from_secs(301));
                }
            }
        }
        panic!("never done");
    }

    async fn runs(&self) -> Vec<Settlement> {
        let runs = self.books.every::<Settlement>(Query::all(Settlement::TABLE, 100)).await.expect("in memory");
        runs.into_iter().map(|run| run.record).collect()
    }

    /// The one run, and what it has found.
    async fn settled(&mut self) -> (Settlement, Vec<Finding>) {
        self.settle().await;
        let found = self.books.every::<Finding>(Query::all(Finding::TABLE, 100)).await.expect("in memory");
        let mut runs = self.runs().await;
        assert_eq!(runs.len(), 1, "{runs:?}");
        (runs.remove(0), found.into_iter().map(|row| row.record).collect())
    }

    async fn alter(&self, order: OrderId, change: impl Fn(&mut Payment)) {
        let mut rows = crate::payments::rows::payments_of(&*self.books, order).await.expect("in memory");
        change(&mut rows[0].record);
        self.books.commit(Unit::new().update(&rows[0])).await.expect("in memory");
    }

    async fn refund_row(&self, order: OrderId) -> Stored<Refund> {
        crate::payments::rows::refunds_of(&*self.books, order).await.expect("in memory").remove(0)
    }

    /// Three charges, of which one went back whole and one in part.
    async fn with_a_day() -> (Self, [OrderId; 3]) {
        let mut shop = Self::open(10);
        let orders = [shop.paid("one").await, shop.paid("two").await, shop.paid("three").await];
        shop.approve(RefundId([1; 16]), orders[1], PRICE.amount).await;
        shop.approve(RefundId([2; 16]), orders[2], 300).await;
        shop.rest().await;
        shop.clock.advance(A_NIGHT);
        (shop, orders)
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_that_agrees_has_no_findings() {
    let (mut shop, _) = Shop::with_a_day().await;
    let (run, found) = shop.settled().await;
    assert_eq!((run.matched, run.in_flight, found.len()), (5, 0, 0), "{found:?}");
    assert!(run.nightly);
}

#[tokio::test(start_paused = true)]
async fn each_class_is_found_and_named() {
    use crate::payments::settlement::FindingClass::{Duplicate, Mismatch, MissingAtProvider, MissingInShop};
    let find = async |harm: &dyn Fn(&Shop, [OrderId; 3])| {
        let (mut shop, orders) = Shop::with_a_day().await;
        harm(&shop, orders);
        let (run, found) = shop.settled().await;
        assert_eq!(run.findings(), found.len() as u64);
        found.into_iter().map(|row| (row.class, row.movement, row.order)).collect::<Vec<_>>()
    };
    let one = |class, movement, order: OrderId| vec![(class, movement, order.to_string())];
    let charge = |shop: &Shop, key: &str, order: OrderId| {
        let [payment_key, transaction] = [key.to_owned(), format!("by hand {key}")];
        let at = shop.clock.now() - A_NIGHT;
        let (order_id, movement) = (order.to_string(), Movement::Charge);
        let theirs = ProviderTransaction { transaction, payment_key, order_id, movement, amount: PRICE, at };
        shop.provider.moved(|moved| moved.push(theirs));
    };
    let [first, second, third] = Shop::with_a_day().await.1;
    let found = find(&|shop, [order, ..]| charge(shop, "four", order)).await;
    assert_eq!(found, one(MissingInShop, Movement::Charge, first));
    let found = find(&|shop, [order, ..]| charge(shop, "one", order)).await;
    assert_eq!(found, one(Duplicate, Movement::Charge, first));
    let found = find(&|shop, _| shop.provider.forget("one")).await;
    assert_eq!(found, one(MissingAtProvider, Movement::Charge, first));
    let found = find(&|shop, _| shop.provider.moved(|moved| moved[0].amount.amount += 1)).await;
    assert_eq!(found, one(Mismatch, Movement::Charge, first));
    let found = find(&|shop, _| shop.provider.cancel_in_console("one", 100)).await;
    assert_eq!(found, [], "it was yesterday's list: today's has it");
    let found = find(&|shop, _| shop.provider.moved(|moved| moved[3].transaction = "another".to_owned())).await;
    assert_eq!(found, one(MissingInShop, Movement::Cancel, second), "ours is known at the provider by its payment");
    let found = find(&|shop, _| shop.provider.moved(|moved| moved[4].amount.amount = 299)).await;
    assert_eq!(found, one(Mismatch, Movement::Cancel, third));
}

#[tokio::test(start_paused = true)]
async fn rows_of_ours_that_were_altered_are_found() {
    use crate::payments::settlement::FindingClass::{Duplicate, Mismatch, MissingAtProvider, MissingInShop};
    let (mut shop, [first, second, third]) = Shop::with_a_day().await;
    shop.alter(first, |payment| payment.state = PaymentState::Fail).await;
    let refund = shop.refund_row(second).await;
    shop.books.commit(Unit::new().delete(&refund.record)).await.expect("in memory");
    let made_up = Refund {
        refund_id: RefundId([9; 16]),
        transaction: Some("made up".to_owned()),
        ..shop.refund_row(third).await.record
    };
    let twin = Refund { refund_id: RefundId([8; 16]), ..shop.refund_row(third).await.record };
    shop.books.commit(Unit::new().insert(&made_up).insert(&twin)).await.expect("in memory");
    let mut found: Vec<_> = shop.settled().await.1.into_iter().map(|row| (row.class, row.order)).collect();
    found.sort_by_key(|(class, _)| class.as_str());
    let expected = [(Duplicate, third), (Mismatch, first), (MissingAtProvider, third), (MissingInShop, second)];
    assert_eq!(found, expected.map(|(class, order)| (class, order.to_string())));
}

#[tokio::test(start_paused = true)]
async fn what_a_person_said_went_back_is_no_finding() {
    let (mut shop, [first, ..]) = Shop::with_a_day().await;
    let payment = shop.attempts(first).await.remove(0);
    let now = shop.clock.now();
    let id = RefundId([9; 16]);
    let wanted = Refund::wanted(id, (first, payment.payment_id), PRICE, "cancel".to_owned(), None, now);
    let stuck = Refund { state: RefundState::Quarantined, due_at: None, ..wanted };
    shop.books.commit(Unit::new().insert(&stuck)).await.expect("in memory");
    let case = shop.payments.case(&id.to_string()).await.expect("there");
    shop.payments.found(case, Found::Refunded).await.expect("said");
    assert_eq!(shop.attempts(first).await[0].state, PaymentState::Canceled);
    shop.clock.advance(A_NIGHT);
    let (run, found) = shop.settled().await;
    assert_eq!((run.matched, found.len()), (1, 0), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_is_no_finding() {
    let (mut shop, [first, second, _]) = Shop::with_a_day().await;
    shop.alter(first, |payment| payment.state = PaymentState::Unknown).await;
    let mut refund = shop.refund_row(second).await;
    (refund.record.state, refund.record.transaction) = (RefundState::Pending, None);
    shop.books.commit(Unit::new().update(&refund)).await.expect("in memory");
    let (run, found) = shop.settled().await;
    assert_eq!((run.matched, run.in_flight, found.len()), (3, 2, 0), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_was_paid_twice_is_found_until_one_goes_back() {
    let (mut shop, [first, ..]) = Shop::with_a_day().await;
    let mut twin = crate::payments::rows::payments_of(&*shop.books, first).await.expect("in memory").remove(0).record;
    twin.payment_id = firstcome_core::ids::PaymentId([7; 16]);
    twin.payment_key = "again".to_owned();
    twin.live = None;
    twin.created_at = twin.created_at + Duration::from_secs(1);
    shop.provider.moved(|moved| {
        let again =
            ProviderTransaction { payment_key: "again".to_owned(), transaction: "a".to_owned(), ..moved[0].clone() };
        moved.push(again);
    });
    shop.books.commit(Unit::new().insert(&twin)).await.expect("in memory");
    let found = shop.settled().await.1;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].class.as_str(), found[0].payment), ("duplicate", Some(twin.payment_id)));
}

#[tokio::test(start_paused = true)]
async fn each_night_is_checked_once_and_those_that_passed_are_made_up_for() {
    let (mut shop, _) = Shop::with_a_day().await;
    shop.settle().await;
    let another = shop.another_process();
    assert!(!another.settle_days(&mut None).await.expect("in memory"), "checked already");
    shop.clock.advance(A_NIGHT * 3);
    shop.settle().await;
    let days: Vec<Date> = shop.runs().await.iter().map(|run| run.day.parse().expect("a day")).collect();
    let mut sorted = days.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((days.len(), sorted.len()), (4, 4), "{days:?}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_day_at_once_gets_the_same_run() {
    let (mut shop, _) = Shop::with_a_day().await;
    let days: [Date; 2] = ["2027-01-15", "2027-01-16"].map(|day| day.parse().expect("a day"));
    let (other, clock) = (shop.another_process(), shop.clock.clone());
    shop.steps.meanwhile("commit", async move {
        clock.advance(Duration::from_millis(1));
        other.want(&days[1..]).await.expect("asked");
    });
    let told = serde_json::to_value(shop.payments.want(&days).await.expect("asked")).expect("JSON");
    let runs = shop.runs().await;
    assert_eq!((told.as_array().map(Vec::len), runs.len()), (Some(2), 2), "{runs:?}");
    shop.settle().await;
    shop.payments.want(&days[..1]).await.expect("asked");
    let of_first = shop.runs().await.into_iter().filter(|run| run.day == days[0].to_string() && !run.nightly);
    assert_eq!(of_first.count(), 2, "what was done is done again for who asks later");
}

#[tokio::test(start_paused = true)]
async fn who_has_read_those_that_wait_too_early_gets_the_same_run() {
    let (shop, _) = Shop::with_a_day().await;
    let day: Date = "2027-01-15".parse().expect("a day");
    let (another, steps) = (shop.another_process(), shop.steps.clone());
    shop.steps.meanwhile("select", async move {
        let asks = async move { another.want(&[day]).await.map(drop).expect("asked for") };
        steps.meanwhile("select", asks);
    });
    shop.payments.want(&[day]).await.map(drop).expect("asked for");
    assert_eq!(shop.runs().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_day_while_another_process_is_asked_gets_the_same_run() {
    let (mut shop, _) = Shop::with_a_day().await;
    shop.settle().await;
    let day: Date = shop.runs().await[0].day.parse().expect("a day");
    for round in 1..=2 {
        let (another, clock) = (shop.another_process(), shop.clock.clone());
        shop.steps.meanwhile("commit", async move {
            clock.advance(Duration::from_secs(1));
            another.want(&[day]).await.map(drop).expect("asked for");
        });
        shop.payments.want(&[day]).await.map(drop).expect("asked for");
        let asked = shop.runs().await.into_iter().filter(|run| !run.nightly);
        assert_eq!(asked.filter(|run| run.ended_at.is_none()).count(), 1, "round {round}");
        shop.settle().await;
        // Another process' clock is behind.
        shop.clock.set(shop.clock.now() - Duration::from_secs(600));
    }
    assert_eq!(shop.runs().await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_breaks_off_begins_again_and_finds_the_same() {
    let (mut shop, _) = Shop::with_a_day().await;
    shop.provider.moved(|moved| moved[0].amount = Money::new(1, Currency::KRW));
    let (expected, found) = shop.settled().await;
    assert_eq!((expected.findings(), found.len()), (1, 1));
    for harm in Harm::ALL {
        for step in 0.. {
            let (mut shop, _) = Shop::with_a_day().await;
            shop.provider.moved(|moved| moved[0].amount = Money::new(1, Currency::KRW));
            shop.steps.strike(step, harm);
            let (run, found) = shop.settled().await;
            assert_eq!((run.matched, run.findings(), found.len()), (4, 1, 1), "{harm:?} at {step}: {found:?}");
            if shop.steps.struck().is_none() {
                break;
            }
        }
    }
}
