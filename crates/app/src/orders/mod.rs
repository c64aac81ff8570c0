//! The role `orders`: the opening second, and what becomes of an order.
//!
//! An order is what the ledger's journal says about it. Its row is a projection ([`projection`]), written behind; the
//! same rows are where the ledger finds holds that have left its memory. Placing an order touches no
//! database: the caller is known, the terms are in the ledger's memory, the key is looked up in memory ([`keys`]), and
//! one command through the lane decides.
//!
//! | state | what a crash leaves, and what heals it |
//! |---|---|
//! | lines of it prepared | in the journals of their offers; [`lines`] has what becomes of them |
//! | PENDING | in the journal; the ledger's own clock expires it |
//! | PAYING | in the journal; the payments role asks the provider until it knows |
//! | COMPLETED | in the journal; the vouchers role reads it from there and delivers once |
//! | goods under way | the order's row; each step waits for a person |
//! | refund PENDING | a row and an event in one commit; each step of [`refunds`] is repeated until the next is recorded |

mod addresses;
mod admin;
mod admin_address;
mod admin_refund;
mod audit;
mod basket;
mod books;
mod cancel;
mod cart;
mod conditions;
mod coupons;
mod decide;
mod facts;
mod fee;
mod forget;
mod get;
mod gift_cards;
mod hold_all;
mod keys;
mod lines;
mod list;
mod own_vouchers;
mod parts;
mod place;
mod policy;
mod projection;
mod quote;
mod receipt;
mod refund;
mod refunds;
mod resend;
mod returns;
mod sheet;
mod shipping;
mod steps;
mod stream;
mod sweep;
mod taken_back;
mod tax;
mod terms;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;

use firstcome_core::events::topics;
use firstcome_core::lag::Lag;
use firstcome_core::ports::{Clock, EventLog, OrderArchive, PortError, Records, RoleName, StockLedger};
use firstcome_core::records::{Record, Table};
use firstcome_core::step::Unwritten;
use jiff::tz::TimeZone;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actions::{Action, ActionHead};
use crate::consumer::{DeadLetter, Topic};
use crate::letters::Letters;
use crate::role::Role;
use crate::secrets::{self, KeyCheck, Keys, Sealed as _, SealedTables};

pub use books::AfterSale;
pub use facts::OfferFacts;
pub use fee::Shipping;
pub use parts::PartBack;
pub use refund::{Refund, Taken};
pub use sheet::{LineMoney, OrderRow};
pub use tax::ShopTerms;
pub use view::OrderView;

/// The tables of the role's database.
pub const TABLES: &[&Table] = &[
    facts::OfferFacts::TABLE,
    facts::BuyerFacts::TABLE,
    facts::IdentifiedBuyer::TABLE,
    addresses::ShippingAddress::TABLE,
    refund::Refund::TABLE,
    parts::PartBack::TABLE,
    books::AfterSale::TABLE,
    terms::RefundTerms::TABLE,
    cancel::CancelRequest::TABLE,
    coupons::Coupon::TABLE,
    gift_cards::GiftCard::TABLE,
    cart::Cart::TABLE,
    cart::Checkout::TABLE,
    DeadLetter::TABLE,
    Action::TABLE,
    ActionHead::TABLE,
    KeyCheck::TABLE,
];

/// Which of them have sealed columns, and which column says by what key.
pub const SEALED: SealedTables =
    &[(addresses::ShippingAddress::TABLE, addresses::ShippingAddress::KEY), (KeyCheck::TABLE, KeyCheck::KEY)];

/// What the role needs.
#[derive(Clone)]
pub struct Ports {
    /// Its database.
    pub records: Arc<dyn Records>,
    /// The ledger.
    pub ledger: Arc<dyn StockLedger>,
    /// The archive that the ledger was opened with.
    pub archive: Arc<dyn OrderArchive>,
    /// What other roles announce.
    pub events: Arc<dyn EventLog>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Encrypts addresses.
    pub keys: Arc<Keys>,
    /// Where the days begin that refunds count.
    pub time_zone: TimeZone,
    /// What buyers are not told.
    pub unwritten: Unwritten,
    /// What the shop is on receipts, and what it counts with.
    pub shop: ShopTerms,
}

/// What the endpoints share.
struct Orders {
    ports: Ports,
    keys: Arc<keys::Keys>,
    lines: Arc<lines::Lines>,
    facts: facts::Facts,
    own_vouchers: own_vouchers::OwnVouchers,
    audit: audit::AuditBook,
}

impl Orders {
    async fn open(ports: &Ports, keys: Arc<keys::Keys>) -> Result<Arc<Self>, PortError> {
        Ok(Arc::new(Self {
            keys,
            lines: Arc::new(lines::Lines::new(ports.ledger.clone())),
            facts: facts::Facts::create(ports).await?,
            own_vouchers: own_vouchers::OwnVouchers::new(ports),
            audit: audit::AuditBook::create(ports).await?,
            ports: ports.clone(),
        }))
    }
}

/// Refuses keys that are not those of the database, of which nothing is changed.
pub async fn look_at_keys(records: &dyn Records, keys: &Keys) -> Result<(), PortError> {
    secrets::look_at_keys::<addresses::ShippingAddress>(RoleName::Orders, records, keys, SEALED).await.map(drop)
}

/// Makes the role. Returns when its rows have caught up with the journal: only then does it know every key. Refused with
/// encryption keys that are not those of the database.
pub async fn create(ports: Ports, metrics: &mut Registry) -> Result<Role, PortError> {
    let (records, keys) = (ports.records.as_ref(), &ports.keys);
    secrets::require_keys::<addresses::ShippingAddress>(RoleName::Orders, records, keys, SEALED).await?;
    let lag = Gauge::<i64>::default();
    metrics.register(
        "firstcome_orders_projection_lag_entries",
        "Journal entries whose rows are not written yet",
        lag.clone(),
    );
    let keys = Arc::new(keys::Keys::new(ports.archive.clone()));
    let (ledger, archive) = (ports.ledger.clone(), ports.archive.clone());
    let projection = projection::Projection { ledger, archive, keys: keys.clone(), lag, behind: Lag::default() };
    projection.catch_up().await?;

    let orders = Orders::open(&ports, keys.clone()).await?;
    let sweeper = sweep::Sweeper::create(&ports, orders.lines.clone()).await?;
    let mut workers = vec![projection.into_worker(), keys.worker(ports.ledger.clone()), audit::worker(orders.clone())];
    workers.push(sweeper.into_worker());
    let mut letters = Letters::new(RoleName::Orders, &ports.records, &ports.clock);
    workers.push(orders.own_vouchers.worker(&mut letters));
    workers.extend(orders.facts.workers(&mut letters));
    workers.push(addresses::worker(&ports));
    for topic in [topics::VOUCHERS, topics::PAYMENTS] {
        workers.push(letters.follow(&refunds::consumer(&ports, topic)));
    }

    workers.extend(steps::worker(&ports, &mut letters));

    let router = routes().with_state(orders);
    Ok(Role { name: "orders", router, workers, letters: Some(letters) })
}

/// The description of its part of the API.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Arc<Orders>> {
    OpenApiRouter::new()
        .routes(routes!(place::post, list::get))
        .routes(routes!(get::get))
        .routes(routes!(stream::get))
        .routes(routes!(receipt::get))
        .routes(routes!(cancel::post))
        .routes(routes!(cart::get::get))
        .routes(routes!(cart::items::put, cart::items::delete))
        .routes(routes!(cart::checkout::post))
        .routes(routes!(returns::post))
        .routes(routes!(admin::list))
        .routes(routes!(admin_refund::post))
        .routes(routes!(admin_address::get))
        .routes(routes!(shipping::ship))
        .routes(routes!(shipping::deliver))
        .routes(routes!(resend::post))
        .routes(routes!(returns::approve))
        .routes(routes!(returns::refuse))
        .routes(routes!(returns::receive))
        .routes(routes!(audit::get))
        .routes(routes!(sheet::get))
}

fn topic(ports: &Ports, name: &'static str) -> Topic {
    Topic { log: ports.events.clone(), name }
}
