//! Where goods are sent: the part of an offer's form in which a buyer says so.

use firstcome_core::codes::ErrorCode;
use serde_json::{Value, json};

use super::api::Call;
use super::contract::{Offer, Profile};
use super::problem::Problem;
use super::visitor::Visitor;

/// The fields, as the API names them.
const FIELDS: [&str; 3] = ["name", "phone", "address"];

/// What was typed. Forms of what is not shipped have none of these fields.
#[derive(Default)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) phone: String,
    pub(super) address: String,
}

impl Typed {
    /// The API's `ship_to`, if anything was typed: what is missing of it is the API's to say.
    pub(super) fn ship_to(&self) -> Option<Value> {
        let [name, phone, address] = self.texts();
        // Browsers end the lines of a form as mails do.
        let address = address.replace("\r\n", "\n");
        (!self.is_empty()).then(|| json!({ "name": name, "phone": phone, "address": address }))
    }

    fn texts(&self) -> [&str; 3] {
        [&self.name, &self.phone, &self.address].map(|text| text.trim())
    }

    fn is_empty(&self) -> bool {
        self.texts().iter().all(|text| text.is_empty())
    }
}

/// The part of the form, for templates.
pub(super) struct Shipping {
    pub(super) typed: Typed,
    /// The account's own address, where goods go when nothing is typed.
    pub(super) own: Option<String>,
    /// Whether the order would be refused without an address in the form.
    pub(super) required: bool,
    blamed: [bool; 3],
}

impl Shipping {
    /// For this offer, if it is shipped and may still be bought.
    pub(super) async fn of(visitor: &Visitor, offer: &Offer, typed: Typed, refusal: Option<&Problem>) -> Option<Self> {
        let gone = offer.state == "ended" || offer.state == "open" && offer.available <= 0 && offer.held <= 0;
        if offer.product.kind != "goods" || gone || !visitor.is_signed_in() {
            return None;
        }
        // Only a help: without the profile the API still says whether an address is missing.
        let profile: Option<Profile> = visitor.ask(Call::get("/me")).await.ok();
        let missing = refusal.is_some_and(|problem| problem.is(ErrorCode::AddressMissing));
        let own = profile.as_ref().and_then(|profile| profile.address.clone()).filter(|_| !missing);
        let required = missing || profile.is_some() && own.is_none();
        let known = profile.filter(|_| required && typed.is_empty());
        let typed = known.map_or(typed, |profile| Typed {
            name: profile.name,
            phone: profile.phone.unwrap_or_default(),
            address: String::new(),
        });
        let wrong = |field| refusal.is_some_and(|problem| problem.blames(&format!("ship_to.{field}")));
        let texts = typed.texts();
        let blamed = std::array::from_fn(|place| missing && texts[place].is_empty() || wrong(FIELDS[place]));
        Some(Self { typed, own, required, blamed })
    }

    /// Whether the refusal is about this field.
    pub(super) fn blames(&self, field: &str) -> bool {
        FIELDS.iter().zip(self.blamed).any(|(name, blamed)| *name == field && blamed)
    }

    /// Whether fields that may stay empty are shown at once: when something is in them already.
    pub(super) fn is_open(&self) -> bool {
        !self.typed.is_empty() || self.blamed.contains(&true)
    }
}
