use std::time::Duration;

use firstcome_core::events::{RoleEvent, TakenLine};
use firstcome_core::ids::{OfferId, OfferNumber, OrderId, ProductId, UserId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Clock as _, Records as _};
use firstcome_core::product::{OfferInfo, Product, ProductKind, RefundPolicy};
use firstcome_core::records::Unit;
use firstcome_core::step::{Step, StepKind, StepLine};
use firstcome_core::time::Time;

use super::{names, steps};
use crate::accounts::Options;
use crate::accounts::testing::TestApp;

const KIM: &str = "kim@example.com";
const OFFER: OfferNumber = OfferNumber(1);

fn won(amount: i64) -> Money {
    Money::new(amount, Currency::KRW)
}

async fn shop() -> (TestApp, UserId) {
    let app = TestApp::new().await;
    app.sign_up(KIM).await;
    let buyer = app.log_in(KIM).await.access;
    let me = app.get("/api/v1/me", Some(&buyer)).await.body["user_id"].as_str().expect("an id").to_owned();
    let product = Product {
        product_id: ProductId([1; 16]),
        sku: None,
        kind: ProductKind::Ticket,
        name: "재즈의 밤".to_owned(),
        description: String::new(),
        image_url: None,
        categories: Vec::new(),
        tax_free: false,
        face_value: None,
        valid_for_days: None,
        visit_date: None,
        discount: None,
        minimum_amount: None,
    };
    let offer = Box::new(OfferInfo {
        offer_id: OfferId::numbered(Time(1), OFFER, [0; 6]),
        sku: None,
        product,
        price: won(55_000),
        opens_at: Time(0),
        closes_at: None,
        limit_per_person: None,
        max_per_order: 10,
        hold_for_seconds: 600,
        refund_policy: RefundPolicy::FullUntilUsed,
        time_zone: None,
        conditions: Vec::new(),
        draft: false,
        version: 1,
    });
    app.catalog.commit(Unit::new().event(&RoleEvent::OfferSaved { offer }, app.clock.now())).await.expect("announced");
    (app, me.parse().expect("an id"))
}

const DELIVERED: Step = Step::Delivered { days_to_return: 7 };

fn order() -> OrderId {
    OrderId::of_request(UserId([1; 16]), "key", 0, OFFER)
}

async fn announce(app: &TestApp, user: UserId, step: Step) {
    let event = RoleEvent::OrderStep { order: order(), user, step };
    app.orders.commit(Unit::new().event(&event, app.clock.now())).await.expect("announced");
}

/// A process writes what there is to write, and delivers it.
async fn write(app: &TestApp) {
    let accounts = app.accounts();
    steps(&accounts, names(&accounts)).catch_up().await.expect("written");
    accounts.mails.deliver_due().await.expect("delivered");
}

fn completed() -> Step {
    let lines = vec![StepLine { offer: OFFER, quantity: 2, unit_price: won(55_000) }];
    Step::Completed { lines, discount: 10_000, by_card: 30_000, total: won(100_000) }
}

#[tokio::test]
async fn a_receipt_has_lines_and_sums_and_no_code() {
    let (app, me) = shop().await;
    announce(&app, me, completed()).await;
    write(&app).await;
    let text = app.mailbox.newest(KIM).expect("a receipt");
    for part in ["재즈의 밤 × 2", "KRW 55,000", "-KRW 10,000", "KRW 100,000", "KRW 30,000", "내 이용권", "My vouchers"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains(&order().to_string()));
}

#[tokio::test]
async fn every_step_has_its_words() {
    let (app, me) = shop().await;
    let taken = vec![TakenLine { offer: OFFER, quantity: 1, of: 2 }];
    for (step, part) in [
        (completed(), "Thank you"),
        (Step::Vouchers, "ready"),
        (Step::Unpaid, "not paid"),
        (Step::Withdrawn, "before it was paid"),
        (Step::TakenBack { lines: taken.clone(), whole: false }, "재즈의 밤 × 1"),
        (Step::TakenBack { lines: taken, whole: true }, "All of your order"),
        (Step::Refunded { amount: won(1_234_567), to_card: 5 }, "KRW 1,234,567"),
        (Step::Refunded { amount: won(0), to_card: 5 }, "To your gift card: KRW 5"),
        (Step::RefundRefused, "had been used"),
        (Step::Shipped { carrier: "CJ".to_owned(), tracking: "12-34".to_owned() }, "12-34"),
        (Step::Delivered { days_to_return: 14 }, "Within 14 days"),
        (Step::ReturnRequested, "request"),
        (Step::ReturnApproved, "send the goods back"),
        (Step::ReturnRefused, "do not take"),
        (Step::ReturnReceived, "goods that you sent back"),
    ] {
        announce(&app, me, step.clone()).await;
        write(&app).await;
        let text = app.mailbox.newest(KIM).expect("an e-mail");
        assert!(text.contains(part) && text.contains("주문"), "{step:?}: {text}");
    }
}

#[tokio::test]
async fn each_step_is_written_about_once_by_however_many_processes() {
    let (app, me) = shop().await;
    let before = app.mailbox.count(KIM);
    announce(&app, me, DELIVERED).await;
    let accounts = app.accounts();
    let (one, other) = (steps(&accounts, names(&accounts)), steps(&accounts, names(&accounts)));
    let (one, other) = tokio::join!(one.catch_up(), other.catch_up());
    one.and(other).expect("written");
    write(&app).await;
    write(&app).await;
    assert_eq!(app.mailbox.count(KIM), before + 1);
}

#[tokio::test]
async fn nobody_is_written_to_who_is_gone_or_long_after() {
    let (app, me) = shop().await;
    announce(&app, me, DELIVERED).await;
    app.clock.advance(Duration::from_hours(49));
    let before = app.mailbox.count(KIM);
    write(&app).await;
    assert_eq!(app.mailbox.count(KIM), before, "that is no news");
    announce(&app, UserId([3; 16]), DELIVERED).await;
    write(&app).await;
    assert_eq!(app.mailbox.count(KIM), before);
    assert_eq!(app.dead_letters().await, 0);
}

#[tokio::test]
async fn an_address_that_cannot_be_opened_stops_nobody_else() {
    let (app, me) = shop().await;
    app.sign_up("lee@example.com").await;
    let lee = app.user_of(&app.log_in("lee@example.com").await).await;
    let before = app.mailbox.count("lee@example.com");
    app.break_email(me).await;
    announce(&app, me, DELIVERED).await;
    announce(&app, lee, DELIVERED).await;
    write(&app).await;
    assert_eq!(app.mailbox.count("lee@example.com"), before + 1);
    assert_eq!(app.dead_letters().await, 0);
}

#[tokio::test]
async fn what_is_switched_off_is_not_written_about() {
    let (app, me) = shop().await;
    let off = app.configured(Options { unwritten: "shipped".parse().expect("names"), ..Options::default() }).await;
    let before = off.mailbox.count(KIM);
    announce(&off, me, Step::Shipped { carrier: "CJ".to_owned(), tracking: "1".to_owned() }).await;
    write(&off).await;
    assert_eq!(off.mailbox.count(KIM), before);
    announce(&off, me, DELIVERED).await;
    write(&off).await;
    assert_eq!(off.mailbox.count(KIM), before + 1);
    assert!(off.accounts().options.unwritten.has(StepKind::Shipped));
}
