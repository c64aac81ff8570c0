//! What an order over several offers would cost, and what its buyer is told when lines of it are refused.

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::OfferId;
use firstcome_core::ledger::Refusal;
use firstcome_core::money::Money;

use crate::http::{Outcome, Problem};

/// Why a line is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RefusedLine {
    pub(super) offer: OfferId,
    pub(super) refusal: Refusal,
}

/// The place of a refusal in the ledger's precedence.
fn rank(refusal: &Refusal) -> u8 {
    match refusal {
        Refusal::UnknownOffer => 0,
        Refusal::Frozen => 1,
        Refusal::Closed => 2,
        Refusal::NotOpenYet { .. } => 3,
        Refusal::TooMany { .. } => 4,
        Refusal::OverLimit { .. } => 5,
        Refusal::SoldOut { .. } => 6,
    }
}

/// The problem of an order of which lines were refused: the first in the ledger's precedence, and of several alike that of
/// the first line.
pub(super) fn worst(refused: Vec<RefusedLine>) -> Option<Problem> {
    let worst = refused.into_iter().min_by_key(|line| rank(&line.refusal))?;
    Some(problem(worst.refusal).with("offer_id", worst.offer))
}

/// The problem that a refusal is.
pub(super) fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::UnknownOffer => Problem::new(ErrorCode::UnknownOffer),
        Refusal::Frozen => Problem::new(ErrorCode::Frozen),
        Refusal::Closed => Problem::new(ErrorCode::Closed),
        Refusal::NotOpenYet { opens_at } => Problem::new(ErrorCode::NotOpenYet).with("opens_at", opens_at),
        Refusal::TooMany { max_per_order } => Problem::new(ErrorCode::TooMany).with("max_per_order", max_per_order),
        Refusal::OverLimit { limit, owned } => {
            Problem::new(ErrorCode::OverLimit).with("limit", limit).with("owned", owned)
        }
        Refusal::SoldOut { held, next_release_at } => {
            Problem::new(ErrorCode::SoldOut).with("held", held).with("next_release_at", next_release_at)
        }
    }
}

/// What these units cost together, in their one currency.
pub(super) fn sum(lines: impl IntoIterator<Item = (Money, u32)>) -> Outcome<Money> {
    let mut total: Option<Money> = None;
    for (price, quantity) in lines {
        if total.is_some_and(|total| total.currency != price.currency) {
            return Err(Problem::field("lines", "all offers of an order must have prices in the same currency"));
        }
        let line = price.times(quantity);
        let sum = line.and_then(|line| total.map_or(Some(line), |total| total.plus(line)));
        total = Some(sum.ok_or_else(|| Problem::field("lines", "together they are too expensive to count"))?);
    }
    total.ok_or_else(|| Problem::field("lines", "an order has at least one line"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use firstcome_core::money::{Currency, MAX_AMOUNT};

    fn line(byte: u8, refusal: Refusal) -> RefusedLine {
        RefusedLine { offer: OfferId([byte; 16]), refusal }
    }

    #[test]
    fn the_worst_refusal_is_told_and_its_line_named() {
        let sold_out = Refusal::SoldOut { held: 0, next_release_at: None };
        let lines = vec![line(1, sold_out), line(2, Refusal::Closed), line(3, Refusal::Closed)];
        let told = worst(lines).expect("refused");
        assert_eq!(told.code(), ErrorCode::Closed);
        assert!(format!("{told:?}").contains(&OfferId([2; 16]).to_string()));
        assert!(worst(Vec::new()).is_none());
    }

    #[test]
    fn only_one_currency_is_summed() {
        let won = |amount| Money::new(amount, Currency::KRW);
        let dollars = Money::new(1, "USD".parse().expect("valid"));
        assert_eq!(sum([(won(300), 2), (won(50), 1)]).expect("a sum"), won(650));
        assert!(sum([(won(300), 2), (dollars, 1)]).is_err());
        assert!(sum([(won(MAX_AMOUNT), 1), (won(1), 1)]).is_err());
        assert!(sum([]).is_err());
    }
}
