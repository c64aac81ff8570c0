//! Bank transfers: harm at every step of every story, and what a buyer is answered.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::ledger::{Command, HoldState, Outcome};
use firstcome_core::payment::{PaymentState, ReceiptState};
use firstcome_core::ports::ProviderStatus;
use firstcome_core::records::RecordsExt as _;

use super::shop::{BY_CARD, HOLD_FOR, OFFER, PRICE, Shop};
use crate::harm::Harm;
use crate::payments::receipts::CashReceipt;

/// What becomes of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Story {
    Noticed,
    Unnoticed,
    AtTheDeadline,
    LateWithUnitsLeft,
    LateWithNoneLeft,
    PaidByCardToo,
    Unpaid,
    Canceled,
    Refunded,
}

impl Story {
    /// What must have become of the order, whatever was harmed.
    fn end(self) -> HoldState {
        match self {
            Self::Noticed | Self::Unnoticed | Self::AtTheDeadline | Self::LateWithUnitsLeft | Self::PaidByCardToo => {
                HoldState::Sold
            }
            Self::LateWithNoneLeft | Self::Unpaid | Self::Canceled => HoldState::Released,
            Self::Refunded => HoldState::Returned,
        }
    }
}

/// Asks for the account as often as it takes; its key.
async fn open_account(shop: &mut Shop, order: OrderId) -> String {
    for _ in 0..3 {
        shop.transfer("transfer", order).await;
        shop.rest().await;
        if shop.attempts(order).await.iter().any(|attempt| !attempt.is_unnamed()) {
            break;
        }
    }
    let mut accounts = shop.provider.accounts();
    assert_eq!(accounts.len(), 1, "one account, however often it was asked for");
    accounts.remove(0)
}

async fn act(story: Story, shop: &mut Shop, order: OrderId, key: &str) {
    match story {
        Story::Noticed | Story::Refunded => {
            shop.provider.deposit(key);
            shop.notice_of_deposit(order).await;
        }
        Story::Unnoticed => shop.provider.deposit(key),
        Story::AtTheDeadline => {
            shop.provider.deposit(key);
            let (ledger, clock) = (Arc::clone(&shop.ledger), shop.clock.clone());
            shop.steps.meanwhile("BeginPayment", async move {
                clock.advance(HOLD_FOR);
                ledger.now(OFFER, &Command::Expire);
            });
            shop.notice_of_deposit(order).await;
        }
        Story::LateWithUnitsLeft | Story::LateWithNoneLeft => {
            shop.expire(order);
            shop.provider.expire(key);
            shop.rest().await;
            if story == Story::LateWithNoneLeft {
                shop.order("another");
            }
            shop.provider.deposit(key);
            shop.clock.advance(HOLD_FOR);
        }
        Story::PaidByCardToo => {
            shop.provider.pay("card", &order.to_string(), PRICE);
            shop.confirm("pay", order, "card").await;
            shop.provider.deposit(key);
            shop.notice_of_deposit(order).await;
        }
        Story::Unpaid => {
            shop.expire(order);
            shop.provider.expire(key);
            shop.clock.advance(HOLD_FOR);
        }
        Story::Canceled => shop.release(order),
    }
}

/// Enough time goes by for everything to be looked at once more.
async fn look(shop: &mut Shop) {
    shop.clock.advance(Duration::from_secs(60));
    shop.rest().await;
}

/// Half of it goes back, then the rest with the units.
async fn refund(shop: &mut Shop, order: OrderId) {
    shop.approve(RefundId([4; 16]), order, 400).await;
    shop.rest().await;
    let refund = RefundId([5; 16]);
    let units = Command::Return { order, return_id: refund, quantity: 1, restock: true };
    assert!(matches!(shop.ledger.now(OFFER, &units), Outcome::Returned { .. }));
    let to_card = if shop.beside_card { BY_CARD } else { 0 };
    shop.approve_with_card(refund, order, PRICE.amount - 400, to_card).await;
    shop.rest().await;
}

async fn play(story: Story, beside_card: bool, strike: Option<(usize, Harm)>) -> Option<String> {
    let mut shop = if beside_card { Shop::open_beside_card(1).await } else { Shop::open(1) };
    let order = shop.order("order");
    if let Some((step, harm)) = strike {
        shop.steps.strike(step, harm);
    }
    let key = open_account(&mut shop, order).await;
    act(story, &mut shop, order, &key).await;
    look(&mut shop).await;
    // What was not answered with 200 is told again, and looks go on.
    if !matches!(story, Story::Unnoticed | Story::Unpaid | Story::Canceled) {
        shop.notice_of_deposit(order).await;
    }
    if story == Story::PaidByCardToo {
        shop.confirm("pay", order, "card").await;
    }
    look(&mut shop).await;
    if story == Story::Refunded {
        refund(&mut shop, order).await;
    }
    shop.steps.calm();
    look(&mut shop).await;
    let struck = shop.steps.struck();
    let when = format!("{story:?}, {}{struck:?}", if beside_card { "beside a gift card, " } else { "" });
    verify(story, &shop, order, &when).await;
    shop.deliver_again().await;
    shop.notice_of_deposit(order).await;
    look(&mut shop).await;
    verify(story, &shop, order, &format!("{when}, delivered again")).await;
    struck
}

async fn verify(story: Story, shop: &Shop, order: OrderId, when: &str) {
    assert_eq!(shop.state(order), Some(story.end()), "{when}");
    shop.check(order, when).await;
    let left: i64 = shop.provider.receipts().iter().map(|(_, left)| left).sum();
    assert_eq!(left, shop.provider.deposits(), "{when}: receipts are over what was deposited and kept");
    for to in shop.provider.sent_to() {
        assert_eq!((to.bank.as_str(), to.number.0.as_str()), ("20", "1002123456789"), "{when}");
    }
    if story == Story::Canceled {
        assert_eq!(shop.provider.payment(&shop.provider.accounts()[0]).status, ProviderStatus::Canceled, "{when}");
    }
    if story == Story::Refunded {
        assert_eq!(shop.announced("refund.done"), 2, "{when}");
        assert_eq!(shop.provider.receipts(), [(PRICE.amount, 0)], "{when}");
    }
}

/// Plays a story unharmed, then with every harm at every step until there are no more steps.
async fn every_step(story: Story) {
    for beside_card in [false, true] {
        assert_eq!(play(story, beside_card, None).await, None);
        for harm in Harm::ALL {
            let mut step = 0;
            while play(story, beside_card, Some((step, harm))).await.is_some() {
                step += 1;
            }
            assert!(step > 2, "{story:?} has hardly any steps to harm");
        }
    }
}

macro_rules! stories {
    ($($name:ident: $story:ident,)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            every_step(Story::$story).await;
        }
    )*};
}

stories! {
    deposited_and_noticed: Noticed,
    deposited_and_found_by_looking: Unnoticed,
    deposited_at_the_very_deadline: AtTheDeadline,
    deposited_late_with_units_left: LateWithUnitsLeft,
    deposited_late_with_none_left: LateWithNoneLeft,
    deposited_and_paid_by_card: PaidByCardToo,
    never_deposited: Unpaid,
    canceled_before_the_deposit: Canceled,
    deposited_and_refunded_in_parts: Refunded,
}

#[tokio::test]
async fn an_order_has_one_account() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    let (status, first) = shop.transfer("one", order).await.expect("no crash");
    assert_eq!((status, &first["state"]), (201, &"READY".into()), "{first}");
    assert_eq!(first["virtual_account"]["account_number"], "56211");
    assert_eq!(first["cash_receipt"]["state"], "PENDING");
    assert_eq!(shop.transfer("one", order).await.expect("no crash"), (201, first));
    let (status, problem) = shop.transfer("two", order).await.expect("no crash");
    assert_eq!((status, &problem["code"]), (409, &"virtual_account_issued".into()));
    assert_eq!(shop.state(order), Some(HoldState::Held), "nothing is pinned");
    let key = shop.provider.accounts().remove(0);
    shop.provider.deposit(&key);
    shop.notice_of_deposit(order).await;
    shop.rest().await;
    let (status, paid) = shop.transfer("one", order).await.expect("no crash");
    assert_eq!((status, &paid["state"], &paid["cash_receipt"]["state"]), (200, &"DONE".into(), &"ISSUED".into()));
    let (status, problem) = shop.transfer("two", order).await.expect("no crash");
    assert_eq!((status, &problem["code"]), (409, &"already_paid".into()));
}

#[tokio::test]
async fn after_a_refusal_another_account_may_be_asked_for() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.provider.refuse_accounts(Some("INVALID_BANK"));
    for _ in 0..2 {
        let (status, problem) = shop.transfer("one", order).await.expect("no crash");
        assert_eq!(
            (status, &problem["code"], &problem["provider_code"]),
            (402, &"payment_failed".into(), &"INVALID_BANK".into())
        );
    }
    shop.provider.refuse_accounts(None);
    assert_eq!(shop.transfer("two", order).await.expect("no crash").0, 201);
}

#[tokio::test]
async fn an_order_whose_time_is_over_gets_no_account() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.expire(order);
    let (status, problem) = shop.transfer("one", order).await.expect("no crash");
    assert_eq!((status, &problem["code"]), (409, &"hold_expired".into()));
    let unknown = shop.order_of("never");
    assert_eq!(shop.transfer("two", unknown).await.expect("no crash").0, 404);
    assert!(shop.provider.accounts().is_empty());
}

/// An order that is paid into, up to its receipt.
async fn paid() -> (Shop, OrderId) {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.transfer("one", order).await;
    let key = shop.provider.accounts().remove(0);
    shop.provider.deposit(&key);
    shop.notice_of_deposit(order).await;
    shop.rest().await;
    (shop, order)
}

#[tokio::test]
async fn a_provider_that_is_silent_about_an_account_pins_nothing_and_calls_a_person_in_the_end() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.transfer("one", order).await;
    let key = shop.provider.accounts().remove(0);
    shop.provider.silent(true);
    shop.expire(order);
    shop.rest().await;
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Ready);
    assert_eq!(shop.state(order), Some(HoldState::Released), "an unpaid hold expires as ever");
    shop.clock.advance(Duration::from_secs(25 * 60 * 60));
    shop.rest().await;
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Quarantined);
    shop.provider.silent(false);
    shop.provider.deposit(&key);
    shop.clock.advance(Duration::from_secs(2 * 60 * 60));
    shop.rest().await;
    shop.check(order, "the provider speaks again").await;
    assert_eq!(shop.state(order), Some(HoldState::Sold));
}

#[tokio::test]
async fn a_deleted_account_is_forgotten_when_nothing_can_go_back_any_more() {
    let (mut shop, order) = paid().await;
    let known =
        async |shop: &Shop| shop.payments.refund_account(&shop.attempts(order).await[0]).await.expect("an answer");
    let unit = shop.payments.erase(super::shop::BUYER).await.expect("in memory");
    shop.payments.ports.records.commit(unit).await.expect("in memory");
    shop.payments.forget_due().await.expect("in memory");
    assert!(known(&shop).await.is_some(), "it can be refunded yet");
    shop.approve(RefundId([1; 16]), order, PRICE.amount).await;
    shop.rest().await;
    shop.clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
    shop.payments.forget_due().await.expect("in memory");
    assert!(known(&shop).await.is_none());
    let receipt = shop.books.load::<CashReceipt>(shop.attempts(order).await[0].payment_id).await.expect("in memory");
    assert_eq!(receipt.map(|receipt| receipt.record.state), Some(ReceiptState::Canceled), "the books stay");
}

#[tokio::test]
async fn an_account_without_a_deposit_is_forgotten_after_a_month() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.transfer("one", order).await;
    let key = shop.provider.accounts().remove(0);
    shop.expire(order);
    shop.provider.expire(&key);
    shop.clock.advance(HOLD_FOR);
    shop.rest().await;
    let attempt = shop.attempts(order).await.remove(0);
    assert_eq!((attempt.state, attempt.code.as_deref()), (PaymentState::Fail, Some("EXPIRED")));
    shop.payments.forget_due().await.expect("in memory");
    assert!(shop.payments.refund_account(&attempt).await.expect("an answer").is_some());
    shop.clock.advance(Duration::from_secs(31 * 24 * 60 * 60));
    shop.payments.forget_due().await.expect("in memory");
    assert!(shop.payments.refund_account(&attempt).await.expect("an answer").is_none());
}

#[tokio::test]
async fn an_account_that_is_undecided_after_a_month_is_forgotten_a_month_later() {
    let mut shop = Shop::open(1);
    let order = shop.order("order");
    shop.transfer("one", order).await;
    let key = shop.provider.accounts().remove(0);
    let month = Duration::from_hours(31 * 24);
    shop.provider.silent(true);
    shop.expire(order);
    shop.clock.advance(month);
    shop.rest().await;
    let known =
        async |shop: &Shop| shop.payments.refund_account(&shop.attempts(order).await[0]).await.expect("an answer");
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Quarantined);
    shop.payments.forget_due().await.expect("in memory");
    assert!(known(&shop).await.is_some(), "something may have been paid in");
    shop.provider.silent(false);
    shop.provider.expire(&key);
    shop.clock.advance(Duration::from_hours(2));
    shop.rest().await;
    assert_eq!(shop.attempts(order).await[0].state, PaymentState::Fail);
    shop.clock.advance(month);
    shop.payments.forget_due().await.expect("in memory");
    assert!(known(&shop).await.is_none());
}
