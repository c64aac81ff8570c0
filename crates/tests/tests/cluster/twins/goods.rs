//! What concerns goods: pictures, search, wishes, and what buyers are told of their orders.

use firstcome_app::catalog::OfferRow;
use firstcome_core::ports::{PortError, Records as _};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Unit};
use firstcome_store::sql::SqlRecords;
use firstcome_tests::{SOON, Storefront as _, until};
use futures_util::future::join_all;
use hyper::Method;
use serde_json::{Value, json};

use super::{Twins, text};
use crate::cluster::letters::catalog_of;
use crate::images::{png, upload};

/// Pixels each way of a picture that is more than is handed on in one piece.
const SIDE: u32 = 640;
/// Readers who wish for something, and one who does not any more.
const WISHING: usize = 3;
/// Who buys goods.
const BUYER: usize = 2;

pub(super) struct Goods {
    picture: String,
    lamp: String,
}

impl Goods {
    pub(super) async fn meet(twins: &Twins) -> Self {
        let sent = png(SIDE);
        let uploads = join_all((0..3).map(|_| upload(&twins.seller, sent.clone(), "image/png"))).await;
        let made: Vec<Value> = uploads.into_iter().map(|answer| answer.want(201)).collect();
        assert!(made.iter().all(|other| *other == made[0]), "the same three times is one: {made:?}");
        let picture = text(&made[0]["url"]);
        let lamp = json!({"kind": "goods", "name": "Zephyr 한지 등", "image_url": picture});
        let lamp = twins.seller.sell(&lamp, &json!({"price": 0, "stock": 90})).await;
        let goods = Self { picture, lamp };
        goods.is_found(twins).await;
        goods.is_shown(twins).await;
        tokio::join!(wish(twins, "Kite for both"), goods.buy(twins, "together"));
        goods
    }

    /// What both have made the one that is left has, and goes on with.
    pub(super) async fn go_on(&self, twins: &Twins, turn: usize) {
        self.is_shown(twins).await;
        self.is_found(twins).await;
        let (product, key) = (format!("Kite {turn}"), format!("alone-{turn}"));
        tokio::join!(wish(twins, &product), self.buy(twins, &key));
    }

    /// The picture, as often as it is asked for.
    async fn is_shown(&self, twins: &Twins) {
        let api = twins.cluster.api();
        for _ in 0..3 {
            let shown = api.call(Method::GET, &self.picture).send().await.expect("an answer");
            assert_eq!((shown.status, &shown.bytes[..4]), (200, &b"\x89PNG"[..]));
            assert!(shown.bytes.len() > (SIDE * SIDE * 3) as usize && shown.bytes.ends_with(b"IEND\xae\x42\x60\x82"));
        }
    }

    /// The offer, by a word in each language, as often as it is looked for.
    pub(super) async fn is_found(&self, twins: &Twins) {
        let api = twins.cluster.api();
        for word in ["zephyr", "%ED%95%9C%EC%A7%80%EB%93%B1"] {
            until(format!("{word} is found"), SOON, async || {
                let found = api.get(&format!("/offers?q={word}")).want(200).await;
                let ids: Vec<&Value> =
                    found["items"].as_array().expect("a list").iter().map(|offer| &offer["offer_id"]).collect();
                if ids == [self.lamp.as_str()] { Ok(()) } else { Err(found) }
            })
            .await;
        }
    }

    /// As if its row were from before the program could search: whoever starts next brings it up to date, for both.
    pub(super) async fn lose_what_is_searched(&self, twins: &Twins) {
        forget(&catalog_of(&twins.cluster).await.expect("the catalogue"), &self.lamp).await.expect("altered");
        let found = twins.cluster.api().get("/offers?q=zephyr").want(200).await;
        assert_eq!(found["items"], json!([]));
    }

    /// Buys one and has it sent. Each step is told once, also when it is taken twice at once.
    async fn buy(&self, twins: &Twins, key: &str) {
        let ship_to = json!({"name": "Lee", "phone": "010-9999-0000", "address": "2 Other Street"});
        let body = json!({"offer_id": self.lamp, "quantity": 1, "ship_to": ship_to});
        let placed =
            join_all((0..3).map(|_| twins.readers[BUYER].post("/orders").key(key).json(&body).want(201))).await;
        let order = text(&placed[0]["order_id"]);
        twins.comes_once(BUYER, &["Your order is completed", &order]).await;
        let parcel = json!({"carrier": "CJ Logistics", "tracking": "777-1"});
        for (step, body, subject) in [("ship", parcel, "on their way"), ("deliver", json!({}), "were delivered")] {
            let path = format!("/admin/orders/{order}/{step}");
            let taken =
                join_all([&twins.seller, &twins.night].map(|seller| seller.post(&path).json(&body).send())).await;
            let granted = taken.iter().flatten().filter(|answer| answer.status == 200).count();
            assert!(granted > 0, "{step}: {taken:?}");
            twins.comes_once(BUYER, &[subject, &order]).await;
        }
    }
}

/// Some wish for a product, and each is told once when it opens.
async fn wish(twins: &Twins, name: &str) {
    let product = twins.seller.create_product(&json!({"kind": "goods", "name": name})).await;
    let path = format!("/me/wishlist/{product}");
    join_all(twins.readers[..=WISHING].iter().map(|reader| reader.put(&path).want(204))).await;
    twins.readers[WISHING].delete(&path).want(204).await;
    let price = json!({"amount": 0, "currency": "KRW"});
    let draft = json!({"product_id": product, "price": price, "stock": 5, "draft": true});
    let offer = twins.seller.create_offer(&draft).await;
    twins.seller.steer(&offer, "open").await.expect("an answer").want(200);
    for reader in 0..WISHING {
        twins.comes_once(reader, &["On your wish list", name]).await;
    }
    twins.never_comes(WISHING, name);
}

async fn forget(catalog: &SqlRecords, offer: &str) -> Result<(), PortError> {
    for mut row in catalog.list::<OfferRow>(Query::all(OfferRow::TABLE, 1_000)).await? {
        if row.record.offer_id.to_string() == offer {
            row.record.search = None;
            catalog.commit(Unit::new().update(&row)).await?;
        }
    }
    Ok(())
}
