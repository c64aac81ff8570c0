//! The role `vouchers`: what is delivered digitally, and what becomes of it.
//!
//! Delivery reads the ledger's journal: a sale is in it exactly once, so its vouchers are issued exactly once, in the same
//! commit as the consumer's place. Taking back reads the orders role's `refund.requested`; before it judges an order it
//! has delivered everything that the journal says was sold.

mod deliver;
mod follow;
mod get;
mod history;
mod list;
mod money_back;
mod products;
mod qr;
mod redeem;
mod sheet;
mod store;
mod take_back;
#[cfg(test)]
mod tests;
mod tills;
mod view;

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::events::topics;
use firstcome_core::ports::{
    Clock, EventLog, JournalEntry, LoggedEvent, PortError, Random, Records, RoleName, StockLedger,
};
use firstcome_core::records::{Record, Table};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actions::{Action, ActionHead};
use crate::consumer::{Consumer, DeadLetter, Journal, Topic};
use crate::letters::Letters;
use crate::role::Role;

pub use crate::voucher_account::is_use;
pub use deliver::{DELIVERY, face, valid_until};
pub use follow::came_back_as;
pub use money_back::MoneyBack;
pub use products::SoldProduct;
pub use store::{Movement, MovementKind, Voucher};

/// The tables of the role's database.
pub const TABLES: &[&Table] = &[
    store::Voucher::TABLE,
    store::Movement::TABLE,
    store::TakenBack::TABLE,
    products::SoldProduct::TABLE,
    DeadLetter::TABLE,
    Action::TABLE,
    ActionHead::TABLE,
];

/// What the role is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The time zone in which the day of a visit ends.
    pub time_zone: jiff::tz::TimeZone,
    /// When money is paid back for gift cards.
    pub money_back: MoneyBack,
    /// For how long at least a gift card is valid when money has come back to it.
    pub valid_again: Duration,
}

/// What the role needs.
#[derive(Clone)]
pub struct Ports {
    /// Its database.
    pub records: Arc<dyn Records>,
    /// Where sales are read.
    pub ledger: Arc<dyn StockLedger>,
    /// What other roles announce.
    pub events: Arc<dyn EventLog>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// For codes that nobody can guess.
    pub random: Arc<dyn Random>,
}

/// What the endpoints share.
struct Vouchers {
    ports: Ports,
    money_back: MoneyBack,
    time_zone: jiff::tz::TimeZone,
    tills: Arc<tills::Tills>,
}

impl Vouchers {
    fn new(ports: Ports, options: Options, tills: &Arc<tills::Tills>) -> Self {
        let Options { money_back, time_zone, .. } = options;
        Self { ports, money_back, time_zone, tills: Arc::clone(tills) }
    }
}

/// What the role does by itself.
struct Workers {
    products: Arc<products::Products>,
    tills: Arc<tills::Tills>,
    delivery: Arc<Consumer<JournalEntry, deliver::Delivery>>,
    taking_back: Arc<Consumer<LoggedEvent, take_back::TakeBack>>,
}

impl Workers {
    async fn create(options: Options, ports: &Ports) -> Result<Self, PortError> {
        let Options { time_zone, valid_again, .. } = options;
        let products = Arc::new(products::Products::create(ports).await?);
        let tills = tills::Tills::new(ports.records.clone());
        let handler = deliver::Delivery {
            ports: ports.clone(),
            products: products.clone(),
            tills: tills.clone(),
            time_zone,
            valid_again,
        };
        let journal = Journal(ports.ledger.clone());
        let delivery = Consumer::new(journal, &ports.records, &ports.clock, handler).gathering(deliver::GATHERING);
        let delivery = Arc::new(delivery);
        let handler = take_back::TakeBack { ports: ports.clone(), delivery: delivery.clone() };
        let decided = Topic { log: ports.events.clone(), name: topics::ORDERS };
        let taking_back = Arc::new(Consumer::new(decided, &ports.records, &ports.clock, handler));
        Ok(Self { products, tills, delivery, taking_back })
    }
}

/// Makes the role.
pub async fn create(options: Options, ports: Ports) -> Result<Role, PortError> {
    let Workers { products, tills, delivery, taking_back } = Workers::create(options.clone(), &ports).await?;
    let mut letters = Letters::new(RoleName::Vouchers, &ports.records, &ports.clock);
    let router = routes().with_state(Arc::new(Vouchers::new(ports, options, &tills)));
    let workers = vec![letters.follow(&delivery), letters.follow(&taking_back), letters.follow(products.consumer())];
    Ok(Role { name: "vouchers", router, workers, letters: Some(letters) })
}

/// The description of its part of the API.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Arc<Vouchers>> {
    OpenApiRouter::new()
        .routes(routes!(list::get))
        .routes(routes!(get::get))
        .routes(routes!(history::get))
        .routes(routes!(qr::get))
        .routes(routes!(redeem::post))
        .routes(routes!(money_back::post))
        .routes(routes!(sheet::get))
}
