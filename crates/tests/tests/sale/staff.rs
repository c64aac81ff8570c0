//! The people behind the counter.

use std::sync::Arc;
use std::time::Duration;

use firstcome_tests::{Api, NoAnswer, Random, Storefront};
use serde_json::Value;

use super::Sale;
use super::history::Told;
use super::insist::Step;

#[derive(Debug, Clone)]
pub(super) struct Staff {
    pub(super) seller: Api,
    pub(super) merchant: Api,
    password: &'static str,
}

/// How often what nobody answers for is asked for again.
const ASKED_AGAIN: usize = 40;
/// Between two of these when it was refused at once.
const AGAIN: Duration = Duration::from_millis(250);
const SELLER: &str = "seller@sale.test";
const MERCHANT: &str = "merchant@sale.test";

impl Staff {
    pub(super) async fn hire(shop: &impl Storefront) -> Self {
        let password = shop.add_account("seller", SELLER);
        shop.add_account("merchant", MERCHANT);
        Self { seller: shop.api(), merchant: shop.api(), password }.log_in().await.expect("answers")
    }

    async fn log_in(self) -> Result<Self, NoAnswer> {
        let seller = tokens(&self.seller, SELLER, self.password).await?;
        let merchant = tokens(&self.merchant, MERCHANT, self.password).await?;
        let with =
            |api: &Api, tokens: &Value| api.with_token(tokens["access_token"].as_str().expect("an access token"));
        Ok(Self { seller: with(&self.seller, &seller), merchant: with(&self.merchant, &merchant), ..self })
    }
}

/// Logs in. Accounts that were killed a moment ago are asked again.
async fn tokens(api: &Api, email: &str, password: &str) -> Result<Value, NoAnswer> {
    for _ in 0..ASKED_AGAIN {
        let answer = api.tokens(email, password).await?;
        if answer.status != 503 {
            return Ok(answer.want(200));
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok(api.tokens(email, password).await?.want(200))
}

impl Sale {
    pub(super) fn staff(&self) -> Staff {
        self.staff.read().expect("no panic while the staff is locked").clone()
    }

    /// Logs the staff in again, before their tokens grow too old. When the shop dies at this moment, the old ones stay.
    pub(crate) async fn refresh_staff(&self) {
        if let Ok(fresh) = self.staff().log_in().await {
            *self.staff.write().expect("no panic while the staff is locked") = fresh;
        }
    }
}

/// Adds units now and then, so that the sale goes on.
pub(super) async fn restock(sale: Arc<Sale>, mut random: Random) {
    let mut count = 0;
    while !sale.is_closing() {
        count += 1;
        let offer = random.pick(&sale.offers).offer.clone();
        let added = 1 + random.below(30) as i64;
        let key = format!("restock-{count}");
        let request = || {
            let (sale, offer, key) = (&sale, &offer, &key);
            async move { sale.staff().seller.adjust(key, offer, added).await }
        };
        // What nobody answered for may take effect later, so it is asked for until it is known.
        let mut told = Told::Unknown;
        for _ in 0..ASKED_AGAIN {
            if !told.is_unknown() {
                break;
            }
            let read = |answer: &firstcome_tests::Answer| match answer.status {
                200 => Step::Done(()),
                _ => Step::Surprise,
            };
            told = sale.insist(true, request, read).await;
        }
        if told.ok().is_some() {
            *sale.history().restocked.entry(offer).or_default() += added;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Looks at the counters all the time: at no moment may more be gone than there was.
pub(super) async fn watch(sale: Arc<Sale>) {
    while !sale.is_closing() {
        for terms in &sale.offers {
            let Ok(answer) = sale.buyers[0].anonymous().offer(&terms.offer).await else { continue };
            if answer.status != 200 {
                if !matches!(answer.status, 429 | 503) {
                    sale.surprise(format!("offer {}: {answer}", terms.offer));
                }
                continue;
            }
            let number = |name: &str| answer.json[name].as_i64().unwrap_or(i64::MIN / 4);
            let (stock, available) = (number("stock"), number("available"));
            if available < 0 || available + number("held") + number("sold") != stock {
                sale.surprise(format!("the counters of {} do not add up: {answer}", terms.offer));
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
