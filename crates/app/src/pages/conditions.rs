//! What a buyer must be or have, told in advance on the page of an offer.

use std::time::Duration;

use firstcome_core::product::Condition;

use super::api::Call;
use super::contract::{Offer, Product};
use super::visitor::Visitor;

const DAY: Duration = Duration::from_hours(24);

/// Everything that an offer asks of its buyers; nothing when anyone may have as much as there is.
pub(super) async fn told(visitor: &Visitor, offer: &Offer) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(limit) = offer.limit_per_person {
        told.push(visitor.count("condition-limit_per_person", limit));
    }
    for condition in &offer.conditions {
        told.push(words(visitor, offer, *condition).await);
    }
    told
}

async fn words(visitor: &Visitor, offer: &Offer, condition: Condition) -> String {
    match condition {
        Condition::EmailVerified(_) => visitor.t("condition-email_verified"),
        Condition::AccountOlderThanDays(days) => {
            let age = visitor.count("condition-account_older_than_days", days);
            format!("{age} ({})", signed_up_by(visitor, offer, days))
        }
        Condition::OwnsProduct(product) => {
            // A name is a kindness: without it the page still tells that there is a condition.
            match visitor.ask::<Product>(Call::get(&format!("/products/{product}"))).await {
                Ok(product) => visitor.say("condition-owns_product", product.name),
                Err(_) => visitor.t("condition-owns_another"),
            }
        }
        Condition::IdentityVerified(_) => visitor.t("condition-identity_verified"),
    }
}

/// By when somebody signed up who may order as soon as anyone may.
fn signed_up_by(visitor: &Visitor, offer: &Offer, days: u32) -> String {
    let now = visitor.shop.options.clock.now();
    let name = if now < offer.opens_at { "signed-up-by-for-opening" } else { "signed-up-by-for-now" };
    visitor.language.text_with(name, &[("value", visitor.when(&(offer.opens_at.max(now) - DAY * days)).into())])
}
