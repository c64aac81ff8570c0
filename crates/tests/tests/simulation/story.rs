//! What buyers want and what they were told. It outlives the shop: people remember.

use std::collections::BTreeMap;
use std::sync::Arc;

use firstcome_core::ids::UserId;
use firstcome_tests::Random;
use parking_lot::Mutex;

/// What someone was told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Told<T> {
    /// Nothing yet, or nothing that can be relied on.
    #[default]
    Unknown,
    /// It is done.
    Ok(T),
    /// It is not, with the code.
    No(String),
}

impl<T> Told<T> {
    pub(super) fn ok(&self) -> Option<&T> {
        if let Self::Ok(told) = self { Some(told) } else { None }
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

/// What a buyer does with an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Plan {
    WalkAway,
    Pay,
    /// When the time is over.
    PayLate,
    /// With a card that is declined, then with another.
    PayTwice,
    /// With two cards at the same moment.
    PayWithTwoCards,
    /// The money comes without anyone asking for it.
    Deposit,
    Cancel,
    /// At the same moment.
    PayAndCancel,
    PayThenCancel,
    /// Uses what was delivered, and cancels.
    UseThenCancel,
    /// The seller sends the money back in the provider's console.
    CancelInConsole,
    /// While the buyer cancels the order.
    CancelAndConsole,
    /// Asks for something else under the same key.
    ChangeOfMind,
}

const PLANS: [Plan; 19] = [
    Plan::WalkAway,
    Plan::WalkAway,
    Plan::Pay,
    Plan::Pay,
    Plan::Pay,
    Plan::PayLate,
    Plan::PayLate,
    Plan::PayTwice,
    Plan::PayWithTwoCards,
    Plan::Deposit,
    Plan::Cancel,
    Plan::Cancel,
    Plan::PayAndCancel,
    Plan::PayThenCancel,
    Plan::UseThenCancel,
    Plan::UseThenCancel,
    Plan::CancelInConsole,
    Plan::CancelAndConsole,
    Plan::ChangeOfMind,
];

/// An order as its buyer was told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Placed {
    pub(super) id: String,
    pub(super) seq: u64,
    pub(super) amount: i64,
}

/// A payment that a buyer tried to make.
#[derive(Clone, Debug, Default)]
pub(super) struct Try {
    pub(super) card: String,
    pub(super) told: Told<String>,
}

/// How far a buyer has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Ordering,
    Acting,
    Over,
}

/// One wish and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) number: usize,
    pub(super) buyer: UserId,
    pub(super) key: String,
    pub(super) offer: usize,
    pub(super) quantity: u32,
    pub(super) plan: Plan,
    /// Sends every request twice at the same moment.
    pub(super) impatient: bool,
    /// Comes so many seconds after the opening.
    pub(super) after: u64,
    pub(super) stage: Stage,
    /// When the first request was sent and the first answer came, on the director's count.
    pub(super) sent: Option<u64>,
    pub(super) answered: Option<u64>,
    pub(super) order: Told<Placed>,
    /// What was told whenever the same request came again.
    pub(super) again: Vec<Told<Placed>>,
    /// What was told to another request under the same key.
    pub(super) changed: Told<Placed>,
    /// By idempotency key.
    pub(super) tries: BTreeMap<String, Try>,
    pub(super) cancel: Told<String>,
    /// Code of the voucher and what the till was told.
    pub(super) uses: BTreeMap<String, Told<()>>,
    pub(super) console: bool,
}

/// A wish that a visitor and the checker share.
pub(super) type Shared = Arc<Mutex<Wish>>;

/// Everyone who comes: more wishes than units, fewer people than wishes.
pub(super) fn wishes(random: &mut Random, offers: usize) -> Vec<Shared> {
    let people = 4 + random.below(6);
    let wish = |number: usize, random: &mut Random| Wish {
        number,
        buyer: UserId::derived(&[b"buyer", &random.below(people).to_be_bytes()]),
        key: format!("wish-{number}"),
        offer: random.below(offers as u64) as usize,
        quantity: if random.chance(85) { 1 } else { 2 + random.below(2) as u32 },
        plan: *random.pick(&PLANS),
        impatient: random.chance(25),
        after: random.below(20),
        stage: Stage::Ordering,
        sent: None,
        answered: None,
        order: Told::Unknown,
        again: Vec::new(),
        changed: Told::Unknown,
        tries: BTreeMap::new(),
        cancel: Told::Unknown,
        uses: BTreeMap::new(),
        console: false,
    };
    (0..8 + random.below(14) as usize).map(|number| Arc::new(Mutex::new(wish(number, random)))).collect()
}
