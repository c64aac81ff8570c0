//! The cart of a person, the same on every device: one row, so that its bound holds and two devices cannot lose each
//! other's changes.
//!
//! A checkout freezes the lines that it orders under its key before it places anything, so that the same request is the
//! same order when the cart has changed since. When the order exists, one commit takes the lines out of the cart and marks
//! the checkout as done. A crash before that is healed by whoever looks at the cart next. While a checkout is under way no
//! other begins, so that a cart is one order however many ask for it.

pub(super) mod checkout;
pub(super) mod get;
pub(super) mod items;

use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{BodyDigest, EventId, OfferId, UserId};
use firstcome_core::ports::{Committed, PortError, Records};
use firstcome_core::record;
use firstcome_core::records::{Json, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};

use super::Orders;
use super::basket::Basket;
use super::place::MAX_LINES;
use crate::http::{Outcome, Problem};

/// How often a change is tried again when another device was faster.
const TRIES: u32 = 16;
/// Unfinished checkouts looked at together. At most one is under way; the others are what crashes left.
const UNFINISHED: u32 = 10;
/// For so long somebody may be at a checkout of which there is no order yet; after that another may order the cart.
const UNDER_WAY: Duration = Duration::from_secs(60);
/// Checkouts read at a time.
const PAGE: u32 = 1_000;

/// Units that somebody thinks of buying.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct CartItem {
    /// The offer.
    pub(super) offer: OfferId,
    /// Units.
    pub(super) quantity: u32,
}

record! {
    /// The cart of a person.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Cart in "carts" {
        /// Whose.
        pub(super) user: UserId,
        /// What is in it, the first first; at most as many as an order has lines.
        pub(super) items: Json<Vec<CartItem>>,
    }
    indexes []
}

record! {
    /// A checkout: what its key stands for.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Checkout in "checkouts" {
        /// Person and key.
        pub(super) id: EventId,
        /// Whose.
        pub(super) user: UserId,
        /// The idempotency key.
        pub(super) key: String,
        /// Digest of the request's body.
        pub(super) body: Vec<u8>,
        /// What is ordered.
        pub(super) items: Json<Vec<CartItem>>,
        /// Whether the order exists and its lines have left the cart.
        pub(super) done: bool,
        /// When it came first.
        pub(super) at: Time,
    }
    indexes [index "checkouts_of_user" ("user", "done")]
}

impl Checkout {
    fn new(user: UserId, key: &str, body: BodyDigest, items: Vec<CartItem>, at: Time) -> Self {
        let (id, body) = (Self::id_of(user, key), body.to_be_bytes().to_vec());
        Self { id, user, key: key.to_owned(), body, items: Json(items), done: false, at }
    }

    fn id_of(user: UserId, key: &str) -> EventId {
        EventId::derived(&[b"checkout", &user.0, key.as_bytes()])
    }

    /// The digest of the request together with what it orders.
    fn digest(&self) -> BodyDigest {
        let mut bytes = self.body.clone();
        for item in &self.items.0 {
            bytes.extend_from_slice(&item.offer.0);
            bytes.extend_from_slice(&item.quantity.to_be_bytes());
        }
        firstcome_core::ids::body_digest(&bytes)
    }
}

/// What is left of a cart when these units were ordered.
fn without(items: &[CartItem], ordered: &[CartItem]) -> Vec<CartItem> {
    let left = |item: &CartItem| {
        let bought = ordered.iter().find(|line| line.offer == item.offer).map_or(0, |line| line.quantity);
        CartItem { quantity: item.quantity.saturating_sub(bought), ..*item }
    };
    items.iter().map(left).filter(|item| item.quantity > 0).collect()
}

fn busy() -> Problem {
    Problem::new(ErrorCode::Unavailable).detail("Another device changes the cart at the same moment; try again")
}

impl Orders {
    async fn cart(&self, user: UserId) -> Outcome<Option<Stored<Cart>>> {
        self.finish_checkouts(user).await?;
        Ok(self.ports.records.load::<Cart>(user).await?)
    }

    /// Changes a cart, whatever other devices do.
    pub(super) async fn change_cart(
        &self,
        user: UserId,
        change: impl Fn(&mut Vec<CartItem>) -> Outcome<()>,
    ) -> Outcome<()> {
        for _ in 0..TRIES {
            let stored = self.cart(user).await?;
            let mut items = stored.as_ref().map(|stored| stored.record.items.0.clone()).unwrap_or_default();
            change(&mut items)?;
            if items.len() > MAX_LINES {
                let detail = format!("A cart takes {MAX_LINES} different offers; order or remove some first");
                return Err(Problem::new(ErrorCode::TooMany).detail(detail).with("max_lines", MAX_LINES));
            }
            if self.ports.records.commit(put(stored, user, items)).await? == Committed::Done {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// Takes what was ordered out of the cart, once. The order exists.
    pub(super) async fn finish_checkout(&self, ordered: &Checkout) -> Outcome<()> {
        for _ in 0..TRIES {
            let done = Checkout { done: true, ..ordered.clone() };
            let mut unit = match self.ports.records.load::<Checkout>(ordered.id).await? {
                Some(stored) if stored.record.done => return Ok(()),
                Some(stored) => Unit::new().update(&Stored { record: done, ..stored }),
                // A twin that was refused has taken it away. Another who was refused may be about to: of a row that looked
                // like that first one, so this one has another version.
                None => Unit::new().advance(&done, 2),
            };
            if let Some(cart) = self.ports.records.load::<Cart>(ordered.user).await? {
                let left = without(&cart.record.items.0, &ordered.items.0);
                unit.append(put(Some(cart), ordered.user, left));
            }
            if self.ports.records.commit(unit).await? == Committed::Done {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// Finishes what a crash left of this person's checkouts. Those of which there is no order.
    async fn finish_checkouts(&self, user: UserId) -> Outcome<Vec<Stored<Checkout>>> {
        let mut without_order = Vec::new();
        let query = Query::all(Checkout::TABLE, UNFINISHED).is("user", user).is("done", false);
        for checkout in self.ports.records.list::<Checkout>(query).await? {
            let placed = match self.basket_of(&checkout.record).await {
                Ok(basket) => self.placed(&basket).await?,
                Err(problem) if problem.code() == ErrorCode::UnknownOffer => None,
                Err(problem) => return Err(problem),
            };
            match placed {
                Some(_) => self.finish_checkout(&checkout.record).await?,
                None if self.is_stale(&checkout.record) => {
                    let unit = Unit::new().update(&checkout).delete(&checkout.record);
                    self.ports.records.commit(unit).await?;
                }
                None => without_order.push(checkout),
            }
        }
        Ok(without_order)
    }

    /// Whether nobody will go on with a checkout under its key any more.
    fn is_stale(&self, checkout: &Checkout) -> bool {
        self.ports.clock.now().since(checkout.at) > Duration::from_hours(24)
    }

    /// What a checkout orders, as far as its name goes.
    async fn basket_of(&self, checkout: &Checkout) -> Outcome<Basket> {
        let mut lines = Vec::new();
        for item in &checkout.items.0 {
            lines.push((self.known_offer(item.offer).await?, item.quantity));
        }
        Ok(Basket::new(checkout.user, checkout.key.clone(), checkout.digest(), lines))
    }
}

/// The unit of work that forgets what a person thought of buying, and under which keys they ordered.
pub(super) async fn forget_cart(records: &dyn Records, user: UserId) -> Result<Unit, PortError> {
    let unit = Unit::new().delete(&Cart { user, items: Json(Vec::new()) });
    let checkouts = records.every::<Checkout>(Query::all(Checkout::TABLE, PAGE).is("user", user)).await?;
    Ok(checkouts.iter().fold(unit, |unit, checkout| unit.delete(&checkout.record)))
}

/// The cart with these items; none when it is empty.
fn put(stored: Option<Stored<Cart>>, user: UserId, items: Vec<CartItem>) -> Unit {
    let Some(mut stored) = stored else {
        let cart = Cart { user, items: Json(items) };
        return if cart.items.0.is_empty() { Unit::new() } else { Unit::new().insert(&cart) };
    };
    stored.record.items = Json(items);
    Unit::new().update(&stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_ordered_leaves_the_cart() {
        let item = |offer, quantity| CartItem { offer: OfferId([offer; 16]), quantity };
        let left = without(&[item(1, 3), item(2, 1), item(3, 1)], &[item(1, 2), item(3, 5)]);
        assert_eq!(left, [item(1, 1), item(2, 1)], "added on another device meanwhile");
    }

    #[test]
    fn the_digest_tells_what_is_ordered() {
        let item = |quantity| vec![CartItem { offer: OfferId([1; 16]), quantity }];
        let digest = |body, items| Checkout::new(UserId::NIL, "key", body, items, Time(0)).digest();
        assert_ne!(digest(1, item(1)), digest(1, item(2)));
        assert_ne!(digest(1, item(1)), digest(2, item(1)));
        assert_eq!(digest(1, item(1)), digest(1, item(1)));
    }
}
