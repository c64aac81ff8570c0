//! What the pages read of the API's answers. Fields that are not shown are not here.

use std::collections::BTreeMap;

use firstcome_core::money::Money;
use firstcome_core::product::Condition;
use firstcome_core::time::Time;
use serde::Deserialize;

use super::language::Language;

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Items<T> {
    pub(super) items: Vec<T>,
    pub(super) next_cursor: Option<String>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next_cursor: None }
    }
}

/// What buyers narrow the shop down by.
#[derive(Deserialize)]
pub(super) struct Category {
    pub(super) category_id: String,
    name: Names,
    pub(super) parent: Option<String>,
}

/// What something is called in each language.
#[derive(Deserialize)]
struct Names {
    ko: Option<String>,
    en: Option<String>,
}

impl Category {
    /// Its name in a language, or in the other.
    pub(super) fn name(&self, language: Language) -> &str {
        let Names { ko, en } = &self.name;
        let name = match language {
            Language::Korean => ko.as_ref().or(en.as_ref()),
            Language::English => en.as_ref().or(ko.as_ref()),
        };
        name.map_or("", String::as_str)
    }
}

/// What is sold.
#[derive(Deserialize)]
pub(super) struct Product {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) image_url: Option<String>,
    pub(super) face_value: Option<Money>,
    pub(super) valid_for_days: Option<u32>,
    pub(super) visit_date: Option<String>,
}

impl Product {
    /// One of the colours that products without a picture have: always the same for the same product.
    pub(super) fn hue(&self) -> usize {
        self.name.bytes().fold(7_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte))) % 6
    }

    /// Its picture, if browsers may load it: from elsewhere only over HTTPS, see the policy in [`super::respond`].
    pub(super) fn picture(&self) -> Option<&str> {
        self.image_url.as_deref().filter(|url| !url.starts_with("http://"))
    }

    /// The description, if there is one.
    pub(super) fn text(&self) -> Option<&str> {
        self.description.as_deref().filter(|text| !text.trim().is_empty())
    }
}

/// A product on sale.
#[derive(Deserialize)]
pub(super) struct Offer {
    pub(super) offer_id: String,
    pub(super) product: Product,
    pub(super) price: Money,
    pub(super) stock: i64,
    pub(super) available: i64,
    pub(super) held: i64,
    pub(super) sold: i64,
    pub(super) state: String,
    pub(super) opens_at: Time,
    pub(super) closes_at: Option<Time>,
    pub(super) limit_per_person: Option<u32>,
    pub(super) max_per_order: Option<u32>,
    pub(super) hold_for_seconds: Option<u32>,
    pub(super) refund_policy: Option<String>,
    /// Days after their delivery within which goods may be sent back.
    pub(super) days_to_return: Option<u16>,
    /// What a buyer must be or have.
    #[serde(default)]
    pub(super) conditions: Vec<Condition>,
}

impl Offer {
    /// Its state as buyers see it: open without units is sold out.
    pub(super) fn shown_state(&self) -> &str {
        if self.state == "open" && self.available <= 0 { "sold_out" } else { &self.state }
    }

    /// Whether a buyer pays nothing.
    pub(super) fn is_free(&self) -> bool {
        self.price.amount == 0
    }

    /// The most that one order may ask for, as far as the terms say.
    pub(super) fn most(&self) -> u32 {
        let order = self.max_per_order.unwrap_or(10);
        self.limit_per_person.map_or(order, |limit| limit.min(order)).max(1)
    }

    /// Where the parts of the stock end in a bar that is `width` wide: sold, then held.
    pub(super) fn bar(&self, width: i64) -> Bar {
        let part = |units: i64| if self.stock > 0 { units.clamp(0, self.stock) * width / self.stock } else { 0 };
        Bar { sold: part(self.sold), held: part(self.sold + self.held) - part(self.sold) }
    }
}

/// The lengths in a bar that shows a stock.
pub(super) struct Bar {
    pub(super) sold: i64,
    pub(super) held: i64,
}

/// What a buyer asked for.
#[derive(Deserialize)]
pub(super) struct Order {
    pub(super) order_id: String,
    /// Who bought; only the seller is told.
    pub(super) user_id: Option<String>,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) amount: Money,
    /// What a gift card pays of it.
    pub(super) gift_card: Option<Money>,
    /// What is left to pay beside that.
    to_pay: Option<Money>,
    /// What of that is free of VAT.
    to_pay_tax_free: Option<Money>,
    tax: Option<Tax>,
    pub(super) lines: Vec<Line>,
    pub(super) hold_expires_at: Option<Time>,
    pub(super) created_at: Time,
}

impl Order {
    /// Whether it waits for the buyer's money.
    pub(super) fn is_pending(&self) -> bool {
        self.state == "PENDING"
    }

    /// What is to be paid at the provider.
    pub(super) fn due(&self) -> &Money {
        self.to_pay.as_ref().unwrap_or(&self.amount)
    }

    /// Minor units of that which are free of VAT.
    pub(super) fn due_tax_free(&self) -> i64 {
        let all = || self.tax.as_ref().map(|tax| &tax.tax_free);
        self.to_pay_tax_free.as_ref().or_else(all).map_or(0, |money| money.amount)
    }

    /// Whether something may still change by itself.
    pub(super) fn is_moving(&self) -> bool {
        matches!(self.state.as_str(), "PENDING" | "PAYING")
    }
}

/// What an order's money consists of.
#[derive(Deserialize)]
struct Tax {
    tax_free: Money,
}

/// One line of an order.
#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) offer_id: String,
    pub(super) quantity: u32,
    pub(super) unit_price: Money,
    pub(super) seq: Option<u64>,
}

/// The money of an order.
#[derive(Deserialize)]
pub(super) struct Payment {
    pub(super) state: String,
    #[serde(default)]
    pub(super) refunds: Vec<Refund>,
}

/// Money on its way back.
#[derive(Deserialize)]
pub(super) struct Refund {
    amount: Money,
    to_gift_card: Option<Money>,
    pub(super) state: String,
}

impl Refund {
    /// All that goes back.
    pub(super) fn money(&self) -> Money {
        let to_card = self.to_gift_card.map_or(0, |money| money.amount);
        Money::new(self.amount.amount.saturating_add(to_card), self.amount.currency)
    }
}

/// What was delivered.
#[derive(Deserialize)]
pub(super) struct Voucher {
    pub(super) code: String,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) product_name: String,
    pub(super) face_value: Option<Money>,
    pub(super) balance: Option<Money>,
    pub(super) valid_until: Time,
    pub(super) order_id: String,
}

impl Voucher {
    /// Whether it can be used.
    pub(super) fn is_usable(&self) -> bool {
        matches!(self.state.as_str(), "ACTIVE" | "USING")
    }

    /// The code in groups of four, as people read it aloud.
    pub(super) fn spaced_code(&self) -> String {
        if self.code.contains('-') {
            return self.code.clone();
        }
        let letters: Vec<char> = self.code.chars().collect();
        letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
    }

    /// How much of the balance is left, in a bar of this width.
    pub(super) fn left(&self, width: i64) -> i64 {
        match (&self.balance, &self.face_value) {
            (Some(left), Some(face)) if face.amount > 0 => left.amount.clamp(0, face.amount) * width / face.amount,
            _ => 0,
        }
    }
}

/// What the account says about its owner.
#[derive(Deserialize)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) phone: Option<String>,
    pub(super) address: Option<String>,
}

/// A device that is logged in.
#[derive(Deserialize)]
pub(super) struct Session {
    pub(super) session_id: String,
    /// May be empty.
    pub(super) device: String,
    pub(super) created_at: Time,
    pub(super) last_used_at: Time,
    pub(super) current: bool,
}

/// The counters of a running sale.
#[derive(Deserialize)]
pub(super) struct Live {
    pub(super) stock: i64,
    pub(super) available: i64,
    pub(super) held: i64,
    pub(super) paying: i64,
    pub(super) sold: i64,
    pub(super) released: i64,
    pub(super) refused: BTreeMap<String, i64>,
    pub(super) per_second: u64,
    pub(super) seq: u64,
}

impl Live {
    /// Of an offer that the ledger does not know yet.
    pub(super) fn before(offer: &Offer) -> Self {
        let (stock, available) = (offer.stock, offer.available);
        Self {
            stock,
            available,
            held: 0,
            paying: 0,
            sold: 0,
            released: 0,
            refused: BTreeMap::new(),
            per_second: 0,
            seq: 0,
        }
    }
}
