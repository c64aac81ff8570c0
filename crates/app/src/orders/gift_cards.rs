//! A gift card that pays an order, or a part of it. What it has left the ledger knows: its account is a line of the order
//! (`crate::voucher_account` has the whole story).

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{EventId, OfferNumber, UserId, VoucherId};
use firstcome_core::ledger::{CardPart, Command, Outcome as LedgerOutcome, Refusal};
use firstcome_core::money::Currency;
use firstcome_core::ports::PortError;
use firstcome_core::product::ProductKind;
use firstcome_core::record;
use firstcome_core::time::Time;

use super::Orders;
use super::basket::{Basket, Name};
use super::place::reused;
use crate::http::{Outcome, Problem};
use crate::voucher_account::{self, VoucherAccount};

/// How often what a card has left may become less while it is reserved.
const TRIES: u32 = 16;

record! {
    /// A gift card that a buyer has, or had.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct GiftCard in "gift_cards" {
        /// The voucher that it is.
        pub(super) voucher: VoucherId,
        /// The hash of its code.
        pub(super) code: EventId,
        /// Whose it is.
        pub(super) user: UserId,
        /// The offer that sold it, beside which its account is.
        pub(super) offer: OfferNumber,
        /// Minor units that were put on it.
        pub(super) face: i64,
        /// Of which currency.
        pub(super) currency: Currency,
        /// When it expires.
        pub(super) valid_until: Time,
        /// Whether it was canceled.
        pub(super) voided: bool,
    }
    indexes [unique "gift_cards_by_code" ("code")]
}

impl GiftCard {
    /// Its account.
    pub(super) fn account(&self) -> VoucherAccount {
        VoucherAccount { offer: self.offer, voucher: self.voucher, face: self.face }
    }
}

/// A gift card does not help here; `reason` tells a program why.
fn not_applicable(reason: &str, detail: &str) -> Problem {
    Problem::new(ErrorCode::GiftCardNotApplicable).detail(detail).with("reason", reason)
}

impl Orders {
    /// The own gift card with this code, if it can pay such an order.
    pub(super) async fn gift_card(&self, basket: &Basket, code: &str, currency: Currency) -> Outcome<GiftCard> {
        let found = self.own_vouchers.find::<GiftCard>(code).await?.filter(|card| card.user == basket.buyer);
        let card = found.ok_or_else(|| not_applicable("unknown", "You have no gift card with this code"))?;
        if card.voided {
            return Err(not_applicable("voided", "It has been canceled"));
        }
        if self.ports.clock.now() >= card.valid_until {
            return Err(not_applicable("expired", "It has expired").with("valid_until", card.valid_until));
        }
        if card.currency != currency {
            return Err(not_applicable("currency", "It is in another currency than the order"));
        }
        if basket.lines.iter().any(|(offer, _)| offer.kind == ProductKind::GiftCard) {
            // Else its validity would never end, and what it pays back early would be without limit.
            return Err(not_applicable("gift_card", "Gift cards are not bought with a gift card"));
        }
        Ok(card)
    }

    /// Reserves what an order costs, or what the card has left of it. None when the order of this name was aborted.
    pub(super) async fn reserve(&self, card: &GiftCard, costs: i64, name: Name) -> Outcome<Option<CardPart>> {
        let (account, ledger) = (card.account(), &*self.ports.ledger);
        account.open(ledger).await?;
        let mut amount = costs.min(card.face);
        for _ in 0..TRIES {
            if amount < 1 {
                return Err(not_applicable(
                    "empty",
                    "Nothing is left on it, or it is reserved by an order that is not paid",
                ));
            }
            let request = account.request(amount, name.order, name.digest);
            amount = match ledger.decide(account.number(), Command::Prepare(request)).await? {
                LedgerOutcome::Held(hold) | LedgerOutcome::AlreadyHeld(hold) => {
                    let amount = i64::from(hold.quantity);
                    if amount > costs {
                        // A try that a crash has cut off, at a higher price: the sweeper takes it back.
                        let detail =
                            "An earlier try reserved more than the order costs now; try again in a few seconds";
                        return Err(Problem::new(ErrorCode::Unavailable).detail(detail));
                    }
                    return Ok(Some(CardPart { card: card.voucher, account: account.number(), amount }));
                }
                LedgerOutcome::Refused(Refusal::OverLimit { limit, owned }) => {
                    amount.min(voucher_account::left(limit, owned))
                }
                LedgerOutcome::KeyReused => return Err(reused()),
                LedgerOutcome::Gone => return Ok(None),
                other => return Err(PortError::Unavailable(format!("a gift card's account answered {other:?}")).into()),
            };
        }
        Err(Problem::new(ErrorCode::Overloaded))
    }
}
