//! The shop under load: started, stocked and given buyers, or found running.

mod data;
mod people;
mod rows;
mod start;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use self::data::Data;
pub(crate) use self::data::empty_folder;
use super::arguments::LoadOptions;
use super::client::Connection;
use super::client::json::{Answer, Call};
use super::server::Server;
use super::{StormError, machine};

/// A shop that answers.
#[derive(Debug)]
pub(crate) struct Shop {
    /// Where.
    pub(crate) address: SocketAddr,
    /// Its buyers' access tokens.
    pub(crate) buyers: Rc<[String]>,
    /// Bytes in memory before anyone came.
    pub(crate) idle: Option<u64>,
    seller: String,
    /// Its merchants' access tokens, of a shop that was named.
    merchants: Rc<[String]>,
    server: Option<Server>,
    data: Option<Data>,
}

/// What to put on sale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offering {
    /// Units.
    pub(crate) stock: u64,
    /// Units per person.
    pub(crate) limit_per_person: Option<u32>,
    /// Seconds that a hold lasts.
    pub(crate) hold_for_seconds: u32,
    /// From now until it opens; none when it is open.
    pub(crate) opens_in: Option<Duration>,
}

/// The price of a unit, in won.
pub(crate) const PRICE: i64 = 50_000;

impl Shop {
    /// A shop of our own on empty books, in the given folder if there is one; or the one that was named.
    pub(crate) async fn open(options: &LoadOptions, folder: Option<&Path>) -> Result<Self, StormError> {
        let shop = match &options.target {
            Some(target) => Self {
                address: target.address,
                buyers: target.buyers.clone().into(),
                idle: None,
                seller: target.seller.clone(),
                merchants: target.merchants.clone().into(),
                server: None,
                data: options.data.clone().map(Data::Given),
            },
            None => start::start(Data::new(folder, options.measures())?, options.buyers).await?,
        };
        shop.greet(&shop.buyers).await?;
        Ok(shop)
    }

    /// Puts a gift card on sale and gives the offer's id.
    pub(crate) async fn sell(&self, offering: Offering) -> Result<String, StormError> {
        let face = json!({ "amount": PRICE, "currency": "KRW" });
        let product = json!({ "kind": "gift_card", "name": "Storm gift card", "face_value": face });
        self.sell_product(&product, PRICE, offering).await
    }

    /// Puts a product on sale at a price in won and gives the offer's id.
    pub(crate) async fn sell_product(
        &self,
        product: &Value,
        price: i64,
        offering: Offering,
    ) -> Result<String, StormError> {
        let product = self.product(product).await?;
        self.offer(&product, price, offering).await
    }

    /// Creates a product and gives its id.
    pub(crate) async fn product(&self, product: &Value) -> Result<String, StormError> {
        let created = self.seller_posts("/api/v1/admin/products", product).await?;
        let product_id =
            created.text("product_id").ok_or_else(|| StormError::answer("creating a product", &created))?;
        Ok(product_id.to_owned())
    }

    /// Puts a product that was created on sale at a price in won and gives the offer's id.
    pub(crate) async fn offer(&self, product: &str, price: i64, offering: Offering) -> Result<String, StormError> {
        let mut offer = json!({
            "product_id": product,
            "price": { "amount": price, "currency": "KRW" },
            "stock": offering.stock,
            "hold_for_seconds": offering.hold_for_seconds,
        });
        if let Some(limit) = offering.limit_per_person {
            offer["limit_per_person"] = limit.into();
        }
        if let Some(wait) = offering.opens_in {
            offer["opens_at"] = (jiff::Timestamp::now() + wait).to_string().into();
        }
        let created = self.seller_posts("/api/v1/admin/offers", &offer).await?;
        let offer = created.text("offer_id").ok_or_else(|| StormError::answer("creating an offer", &created))?;
        Ok(offer.to_owned())
    }

    /// Ends an offer.
    pub(crate) async fn close_offer(&self, offer: &str) -> Result<(), StormError> {
        let answer = self.seller_posts(&format!("/api/v1/admin/offers/{offer}/close"), &json!({})).await?;
        if answer.status < 300 { Ok(()) } else { Err(StormError::answer("closing the offer", &answer)) }
    }

    async fn seller_posts(&self, path: &str, body: &Value) -> Result<Answer, StormError> {
        let answer = Call::post(path, body).by(&self.seller).send(&mut Connection::new(self.address)).await?;
        if matches!(answer.status, 401 | 403) && self.server.is_none() {
            let why = "the shop does not take --seller-token; it must be the access token of a seller, and not expired";
            return Err(StormError::Usage(why.to_owned()));
        }
        Ok(answer)
    }

    /// The offer as everybody sees it.
    pub(crate) async fn look_at(&self, offer: &str) -> Result<Value, StormError> {
        let answer = Call::get(&format!("/api/v1/offers/{offer}")).send(&mut Connection::new(self.address)).await?;
        if answer.status == 200 { Ok(answer.body) } else { Err(StormError::answer("reading an offer", &answer)) }
    }

    /// Nothing while a shop of our own runs; after its end, an error with its last words.
    pub(crate) async fn check(&mut self) -> Result<(), StormError> {
        match &mut self.server {
            Some(server) => server.check().await,
            None => Ok(()),
        }
    }

    /// Keeps the data of a shop of our own, and says where it is.
    pub(crate) fn keep(&mut self) -> Option<PathBuf> {
        self.data = self.data.take().map(Data::keep);
        self.data().map(ToOwned::to_owned)
    }

    /// Whether a shop of our own has ended: a process without memory is only waited for.
    pub(crate) fn is_gone(&self) -> bool {
        self.pid().is_some_and(|pid| machine::memory(pid).is_none())
    }

    /// The process id of a shop of our own.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.server.as_ref().and_then(Server::pid)
    }

    /// Where its data lies.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.data.as_ref().map(Data::path)
    }
}
