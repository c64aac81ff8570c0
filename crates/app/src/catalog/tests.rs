//! A catalog in memory: what a changed product does to its offers, and what an import takes.

use std::collections::BTreeSet;
use std::sync::Arc;

use firstcome_core::codes::ErrorCode;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{OfferNumber, OrderId, UserId};
use firstcome_core::ledger::{Command, HoldRequest, Stock};
use firstcome_core::ports::{LoggedEvent, StockLedger as _};
use firstcome_core::product::{OfferInfo, Product};
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use firstcome_core::testkit::{MemoryJournal, MemoryLedger, MemoryRecords, TestClock, TestRandom};
use firstcome_core::time::Time;
use serde_json::{Value, json};

use super::product::ProductEdit;
use super::store::OfferRow;
use super::terms::Terms;
use super::{Catalog, GivenOffer, Imported, Ports, TABLES};
use crate::consumer::Consumer;
use crate::harm::Far;
use crate::http::{Outcome, Problem};

mod listing;
mod promises;

pub(super) struct Shop {
    pub(super) catalog: Catalog,
    pub(super) records: Arc<MemoryRecords>,
    pub(super) ledger: Arc<MemoryLedger>,
    pub(super) clock: TestClock,
    pub(super) terms: Arc<Consumer<LoggedEvent, Terms>>,
}

impl Shop {
    pub(super) fn open() -> Self {
        let clock = TestClock::at(Time::from_millis(1_800_000_000_000));
        let records = Arc::new(MemoryRecords::new(topics::CATALOG, TABLES));
        let ledger = Arc::new(MemoryLedger::open(MemoryJournal::default(), clock.clone()));
        let ports = Ports {
            records: records.clone(),
            ledger: ledger.clone(),
            events: records.clone(),
            clock: Arc::new(clock.clone()),
            random: Arc::new(TestRandom::seeded(1)),
            time_zone: jiff::tz::TimeZone::UTC,
            wish_pause: std::time::Duration::from_hours(24),
            promises: super::Promises::default(),
            images: super::ImageOptions { quota: 100_000, ..super::ImageOptions::default() },
        };
        let terms = super::terms::consumer(&ports);
        Self { catalog: Catalog::new(ports), records, ledger, clock, terms }
    }

    /// A gift card on sale.
    async fn card() -> (Self, Product, OfferInfo) {
        let shop = Self::open();
        let (product, _) = shop.catalog.import_product(card(10_000)).await.expect("taken");
        let (offer, imported) = shop.import(json!({})).await.expect("taken");
        assert_eq!(imported, Imported::Created);
        (shop, product, offer)
    }

    /// Imports the card's offer, for 9,000 won and with 5 units unless the file says something else.
    async fn import(&self, file: Value) -> Outcome<(OfferInfo, Imported)> {
        let mut offer = json!({
            "sku": "card", "product_id": firstcome_core::ids::ProductId::NIL, "stock": 5,
            "price": { "amount": 9_000, "currency": "KRW" },
        });
        let file = file.as_object().expect("fields").clone();
        let given: BTreeSet<String> = file.keys().cloned().collect();
        offer.as_object_mut().expect("fields").extend(file);
        let offer = serde_json::from_value(offer).expect("an offer");
        let given = GivenOffer { offer, product_sku: "card".to_owned(), given };
        let (product, _) = self.catalog.import_product(card(10_000)).await?;
        let checked = self.catalog.check_offer(&given).await.map_err(|problem| problem.description().to_owned());
        let imported = self.catalog.import_offer(given, product.product_id).await;
        assert_eq!(checked.err(), imported.as_ref().err().map(|problem| problem.description().to_owned()));
        imported
    }

    async fn edit(&self, product: &Product, changes: Value) -> Outcome<Product> {
        let stored = self.catalog.product(product.product_id).await?;
        let edit: ProductEdit = serde_json::from_value(changes).expect("an edit");
        let product = edit.apply(stored.record.product.0.clone())?;
        self.catalog.change_product(stored, product).await
    }

    async fn offer(&self, offer: &OfferInfo) -> OfferInfo {
        self.catalog.offer(offer.offer_id).await.expect("there").record.offer.0
    }

    async fn offers(&self) -> Vec<OfferInfo> {
        let rows = self.records.list::<OfferRow>(Query::all(OfferRow::TABLE, 10)).await.expect("readable");
        rows.into_iter().map(|row| row.record.offer.0).collect()
    }

    /// Someone takes a unit.
    async fn hold(&self, offer: OfferNumber) {
        let person = UserId([9; 16]);
        let order = OrderId::of_request(person, "key", 0, offer);
        let request = HoldRequest { order, person, quantity: 1, unit_price: None, digest: 0, discount: 0, facts: None };
        self.ledger.decide(offer, Command::Hold(request)).await.expect("decided");
    }

    fn last_event(&self) -> RoleEvent {
        let event = self.records.events().pop().expect("an event");
        RoleEvent::parse(&event.kind, &event.data).expect("readable")
    }
}

fn card(face_value: i64) -> super::NewProduct {
    let product = json!({
        "sku": "card", "kind": "gift_card", "name": "Card", "face_value": { "amount": face_value, "currency": "KRW" },
    });
    serde_json::from_value(product).expect("a product")
}

fn refused<T: std::fmt::Debug>(outcome: Outcome<T>) -> (ErrorCode, String) {
    let problem: Problem = outcome.expect_err("refused");
    (problem.code(), problem.description().to_owned())
}

#[tokio::test]
async fn offers_of_a_changed_product_show_it_and_are_announced_again() {
    let (shop, product, offer) = Shop::card().await;
    shop.hold(offer.offer_id.number()).await;
    shop.edit(&product, json!({ "name": "Better card" })).await.expect("a name promises nothing");
    let changed = shop.offer(&offer).await;
    assert_eq!((changed.product.name.as_str(), changed.version), ("Better card", 2));
    assert_eq!(shop.last_event(), RoleEvent::OfferSaved { offer: Box::new(changed.clone()) });
    let events = shop.records.events().len();
    shop.edit(&product, json!({ "name": "Better card" })).await.expect("the same again");
    assert_eq!(shop.records.events().len(), events, "nothing changed");
    let (_, imported) = shop.catalog.import_product(card(10_000)).await.expect("taken");
    assert_eq!((imported, shop.offer(&offer).await.product.name.as_str()), (Imported::Updated, "Card"));
    let known = shop.ledger.snapshot(offer.offer_id.number()).await.expect("readable").expect("known");
    assert_eq!((known.offer.terms.version, known.offer.stock.held), (3, 1));
}

#[tokio::test]
async fn what_holders_were_promised_stays() {
    let (shop, product, offer) = Shop::card().await;
    let dearer = json!({ "face_value": { "amount": 20_000, "currency": "KRW" } });
    shop.edit(&product, dearer.clone()).await.expect("nobody has one yet");
    assert_eq!(shop.offer(&offer).await.product.face_value.map(|money| money.amount), Some(20_000));
    shop.hold(offer.offer_id.number()).await;
    for (field, change) in [("face_value", json!({ "amount": 5_000, "currency": "KRW" })), ("valid_for_days", json!(3))]
    {
        let (code, why) = refused(shop.edit(&product, json!({ field: change })).await);
        assert!(code == ErrorCode::PromiseBroken && why.starts_with(&format!("{field}: ")), "{why}");
    }
    let (code, why) = refused(shop.edit(&product, json!({ "kind": "ticket" })).await);
    assert!(code == ErrorCode::PromiseBroken && why.starts_with("kind: "), "{why}");
    assert_eq!(refused(shop.catalog.check_product(&card(10_000)).await).0, ErrorCode::PromiseBroken);
    assert_eq!(refused(shop.catalog.import_product(card(10_000)).await).0, ErrorCode::PromiseBroken);
    shop.edit(&product, dearer).await.expect("as it is");
    let (code, _) = refused(shop.edit(&product, json!({ "visit_date": "2026-12-24" })).await);
    assert_eq!(code, ErrorCode::InvalidBody, "a gift card has none");
}

#[tokio::test]
async fn nothing_is_sold_for_a_day_that_is_over() {
    // It is 2027-01-15, 08:00.
    let shop = Shop::open();
    let ticket = |day: &str| {
        let product = json!({ "sku": "gate", "kind": "ticket", "name": "Gate", "visit_date": day });
        serde_json::from_value::<super::NewProduct>(product).expect("a product")
    };
    let (code, why) = refused(shop.catalog.create_product(ticket("2027-01-14")).await);
    assert!(code == ErrorCode::InvalidBody && why.starts_with("visit_date: is over"), "{why}");
    assert!(refused(shop.catalog.check_product(&ticket("2027-01-14")).await).1.starts_with("visit_date: is over"));
    let product = shop.catalog.create_product(ticket("2027-01-15")).await.expect("today is not over");
    let offer = |times: Value| {
        let mut offer =
            json!({ "product_id": product.product_id, "stock": 1, "price": { "amount": 1, "currency": "KRW" } });
        offer.as_object_mut().expect("fields").extend(times.as_object().expect("fields").clone());
        shop.catalog.create_offer(serde_json::from_value(offer).expect("an offer"))
    };
    let (_, why) = refused(offer(json!({ "closes_at": "2027-01-16T00:00:01Z" })).await);
    assert!(why.starts_with("closes_at: must not be after 2027-01-16T00:00:00"), "{why}");
    assert!(refused(offer(json!({ "opens_at": "2027-01-16T00:00:00Z" })).await).1.starts_with("opens_at: "));
    let open = offer(json!({})).await.expect("sold today");
    let end: Time = "2027-01-16T00:00:00Z".parse().expect("a time");
    assert_eq!(open.closes_at, Some(end), "it closes with the day");

    assert!(refused(shop.edit(&product, json!({ "visit_date": "2027-01-14" })).await).1.contains("is over"));
    for (day, end) in [("2027-02-01", "2027-02-02"), ("2027-01-20", "2027-01-21"), ("2027-02-01", "2027-02-02")] {
        shop.edit(&product, json!({ "visit_date": day })).await.expect("nobody has one");
        let end: Time = format!("{end}T00:00:00Z").parse().expect("a time");
        assert_eq!(shop.offer(&open).await.closes_at, Some(end), "it still closes with the day");
    }
    let later: super::offer::OfferEdit =
        serde_json::from_value(json!({ "closes_at": "2027-02-01T10:00:00Z" })).expect("an edit");
    let mut stored = shop.catalog.offer(open.offer_id).await.expect("there");
    let now = shop.catalog.ports.clock.now();
    later.apply(&mut stored.record.offer.0, Stock::default(), now, &jiff::tz::TimeZone::UTC).expect("before its end");
    shop.catalog.save_offer(stored).await.expect("saved");
    let (_, why) = refused(shop.edit(&product, json!({ "visit_date": "2027-01-20" })).await);
    assert!(why.starts_with("visit_date: offer ") && why.contains("closes_at: must not be after"), "{why}");
}

#[tokio::test]
async fn a_day_begins_and_ends_where_the_offer_is() {
    // It is 2027-01-15, 08:00, in UTC, where the shop is; in Honolulu it is the evening of the 14th.
    let shop = Shop::open();
    let gate = json!({ "sku": "gate", "kind": "ticket", "name": "Gate", "visit_date": "2027-01-15" });
    let product = shop.catalog.create_product(serde_json::from_value(gate).expect("a product")).await.expect("created");
    let offer = |time_zone: Option<&str>| {
        let price = json!({ "amount": 1, "currency": "KRW" });
        let offer = json!({ "product_id": product.product_id, "stock": 1, "price": price, "time_zone": time_zone });
        shop.catalog.create_offer(serde_json::from_value(offer).expect("an offer"))
    };
    let time = |text: &str| Some(text.parse::<Time>().expect("a time"));
    let here = offer(None).await.expect("sold");
    assert_eq!((here.time_zone.as_deref(), here.closes_at), (Some("UTC"), time("2027-01-16T00:00:00Z")));
    let honolulu = offer(Some("Pacific/Honolulu")).await.expect("sold");
    assert_eq!(honolulu.closes_at, time("2027-01-16T10:00:00Z"));
    shop.clock.set(Time::from_millis(1_800_000_000_000) + std::time::Duration::from_hours(17));
    assert!(refused(offer(None).await).1.starts_with("visit_date: is over"), "it is the 16th here");
    offer(Some("Pacific/Honolulu")).await.expect("it is still the 15th there");
    let again = json!({ "product_id": product.product_id, "stock": 1, "price": { "amount": 1, "currency": "KRW" },
        "opens_at": "2027-01-15T09:00:00Z" });
    let again: super::NewOffer = serde_json::from_value(again).expect("an offer");
    let again =
        again.into_info(here.offer_id, product.clone(), shop.catalog.ports.clock.now(), &jiff::tz::TimeZone::UTC);
    assert!(again.is_ok(), "a file may say again what was on sale then");

    let moved = |name: &str| -> super::offer::OfferEdit {
        serde_json::from_value(json!({ "time_zone": name })).expect("an edit")
    };
    let mut info = honolulu;
    let now = shop.catalog.ports.clock.now();
    moved("America/Los_Angeles").apply(&mut info, Stock::default(), now, &jiff::tz::TimeZone::UTC).expect("moved");
    assert_eq!(info.closes_at, time("2027-01-16T08:00:00Z"), "it still closes with the day");
    let usable_until = super::offer::terms(&info, 1).usable_until;
    assert_eq!(usable_until, time("2027-01-16T08:00:00Z"), "the ledger knows when nobody pays for it any more");
}

#[tokio::test]
async fn the_day_of_units_that_are_held_or_sold_stays_where_it_is() {
    let shop = Shop::open();
    for (day, stays) in [(Some("2027-01-20"), true), (None, false)] {
        let gate = json!({ "sku": day, "kind": "ticket", "name": "Gate", "visit_date": day });
        let gate = serde_json::from_value(gate).expect("a product");
        let product = shop.catalog.create_product(gate).await.expect("created");
        let offer =
            json!({ "product_id": product.product_id, "stock": 5, "price": { "amount": 1, "currency": "KRW" } });
        let offer = shop.catalog.create_offer(serde_json::from_value(offer).expect("an offer")).await.expect("created");
        for units in [Stock { held: 1, ..Stock::default() }, Stock { sold: 1, ..Stock::default() }] {
            let moved = |name: &str| {
                let edit: super::offer::OfferEdit =
                    serde_json::from_value(json!({ "time_zone": name })).expect("an edit");
                let now = shop.catalog.ports.clock.now();
                edit.apply(&mut offer.clone(), units, now, &jiff::tz::TimeZone::UTC)
            };
            moved("UTC").expect("where it was");
            let code = moved("Asia/Seoul").map_err(|problem| problem.code()).err();
            assert_eq!(code, stays.then_some(ErrorCode::PromiseBroken), "{day:?}");
        }
    }
}

#[tokio::test]
async fn a_product_that_changes_while_an_offer_is_created_does_not_miss_it() {
    let (shop, product, _) = Shop::card().await;
    let stored = shop.catalog.product(product.product_id).await.expect("there");
    let second = json!({ "product_id": product.product_id, "stock": 1, "price": { "amount": 1, "currency": "KRW" } });
    shop.catalog.create_offer(serde_json::from_value(second).expect("an offer")).await.expect("created");
    let renamed = Product { name: "Late".to_owned(), ..product };
    assert_eq!(refused(shop.catalog.change_product(stored, renamed).await).0, ErrorCode::Unavailable);
}

#[tokio::test]
async fn an_offer_that_differs_is_changed_or_refused_and_never_called_unchanged() {
    let (shop, _, offer) = Shop::card().await;
    assert_eq!(shop.import(json!({})).await.expect("taken").1, Imported::Unchanged);
    let cheaper = json!({ "price": { "amount": 8_000, "currency": "KRW" }, "limit_per_person": 2 });
    let (info, imported) = shop.import(cheaper.clone()).await.expect("nobody holds one");
    assert_eq!((imported, info.price.amount, info.limit_per_person), (Imported::Updated, 8_000, Some(2)));
    assert_eq!(shop.last_event(), RoleEvent::OfferSaved { offer: Box::new(info) });
    let mut other = cheaper;
    other["max_per_order"] = json!(10);
    assert_eq!(shop.import(other).await.expect("taken").1, Imported::Unchanged);
    let (code, why) = refused(shop.import(json!({ "stock": 6 })).await);
    assert!(code == ErrorCode::PromiseBroken && why.starts_with("stock: it is 5 in the shop, not 6"), "{why}");
    shop.hold(offer.offer_id.number()).await;
    let (code, why) = refused(shop.import(json!({ "price": { "amount": 7_000, "currency": "KRW" } })).await);
    assert!(code == ErrorCode::PromiseBroken && why.starts_with("price: "), "{why}");
}

#[tokio::test]
async fn a_draft_takes_its_stock_from_the_file() {
    let shop = Shop::open();
    let (_, imported) = shop.import(json!({ "draft": true })).await.expect("taken");
    assert_eq!(imported, Imported::Created);
    let (info, imported) = shop.import(json!({ "draft": true, "stock": 8 })).await.expect("taken");
    assert_eq!(imported, Imported::Updated);
    assert_eq!(shop.catalog.offer(info.offer_id).await.expect("there").record.initial_stock, 8);
    assert!(refused(shop.import(json!({ "draft": false, "stock": 8 })).await).1.starts_with("draft: "));
}

#[tokio::test]
async fn a_file_that_is_imported_twice_at_once_is_imported_once() {
    let mut shop = Shop::open();
    shop.catalog.ports.records = Arc::new(Far(shop.records.clone()));
    let once = |price: i64| {
        let shop = &shop;
        async move {
            let price = json!({ "price": { "amount": price, "currency": "KRW" } });
            shop.import(price).await.map_err(|problem| problem.description().to_owned()).expect("taken")
        }
    };
    let ((one, first), (two, second)) = tokio::join!(once(9_000), once(9_000));
    assert_eq!((one, [first, second].contains(&Imported::Unchanged)), (two, true));
    assert_eq!((shop.offers().await.len(), first != second), (1, true));
    // What both change at once is in the end as one of them says.
    tokio::join!(once(8_000), once(7_000));
    let price = shop.offers().await[0].price.amount;
    assert!([8_000, 7_000].contains(&price), "{price}");
}
