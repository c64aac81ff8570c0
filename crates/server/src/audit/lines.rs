//! Orders over several offers: every line says what its home says, and none is held for an order that does not exist.

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::{Hold, HoldState, Line};

use super::journal::Journal;
use super::report::Report;

/// What a line may be at rest, by what its home is. Anything else that is open passes: it is being placed, paid or ended.
fn agrees(home: HoldState, line: HoldState) -> bool {
    match home {
        HoldState::Sold | HoldState::Returned => matches!(line, HoldState::Sold | HoldState::Returned),
        HoldState::Held | HoldState::Paying | HoldState::Released => line == home,
        HoldState::Prepared => false,
    }
}

pub(super) fn check(journal: &Journal, report: &mut Report) {
    for ((order, offer), line) in journal.holds.iter().filter(|((order, offer), _)| is_elsewhere(*offer, order.home()))
    {
        let home = journal.order(*order).filter(|home| !home.is_aborted());
        let place = format!("order {order} on offer {offer}");
        match home {
            None if line.state == HoldState::Released => {}
            None if line.state == HoldState::Prepared => {
                report.flying(place, "its order is being placed, or will be aborted".to_owned());
            }
            None => report.differ(place, "is held for an order that does not exist".to_owned()),
            Some(home) if named(home, *offer).is_none() => {
                report.differ(place, "is not among the lines of its order".to_owned());
            }
            Some(_) => {}
        }
    }
    for home in journal.orders() {
        home.other_lines().iter().for_each(|line| compare(journal, home, line, report));
    }
}

/// Whether it is a line of an order that another offer decides. What uses a coupon without an order has no home.
fn is_elsewhere(offer: OfferNumber, home: OfferNumber) -> bool {
    offer != home && !offer.is_account()
}

fn named(home: &Hold, offer: OfferNumber) -> Option<&Line> {
    home.other_lines().iter().find(|line| line.offer.number() == offer)
}

fn compare(journal: &Journal, home: &Hold, line: &Line, report: &mut Report) {
    let offer = line.offer.number();
    let place = format!("order {} on offer {offer}", home.order);
    let Some(hold) = journal.holds.get(&(home.order, offer)) else {
        return report.differ(place, "is a line of an order, but was never granted".to_owned());
    };
    if (hold.quantity, hold.unit_price) != (line.quantity, line.unit_price) {
        return report.differ(place, "has other units or another price than its order says".to_owned());
    }
    if agrees(home.state, hold.state) {
        return;
    }
    // Lines are sold before their home, and follow it a moment later in everything else.
    let why = format!("is {:?} while its home is {:?}", hold.state, home.state);
    let passes = match home.state {
        HoldState::Sold | HoldState::Returned => false,
        HoldState::Released => hold.state.is_open(),
        _ => true,
    };
    if passes { report.flying(place, why) } else { report.differ(place, why) }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use firstcome_core::ids::{OfferId, OrderId, UserId};
    use firstcome_core::ledger::{Event, Facts, Granted};
    use firstcome_core::money::{Currency, Money};
    use firstcome_core::testkit::Auditor;
    use firstcome_core::time::Time;

    use super::*;

    const HOME: OfferNumber = OfferNumber(1);

    fn line() -> Line {
        let offer = OfferId::numbered(Time(0), OfferNumber(2), [0; 6]);
        Line { offer, quantity: 2, unit_price: Money::new(300, Currency::KRW), seq: None }
    }

    fn hold(state: HoldState, lines: Vec<Line>) -> Hold {
        let granted = Granted {
            order: OrderId::of_request(UserId([1; 16]), "key", 0, HOME),
            person: UserId([1; 16]),
            quantity: 2,
            unit_price: Money::new(300, Currency::KRW),
            discount: 0,
            digest: 0,
            expires_at: Time(9),
            terms_version: 1,
            facts: Some(Box::new(Facts { other_lines: lines, ..Facts::default() })),
        };
        let held = Hold::created_by(&Event::Held(granted), 1, Time(1)).expect("it grants");
        Hold { state, ..held }
    }

    /// Disagreements, and what is under way.
    fn found(home: Option<HoldState>, other: Option<HoldState>) -> (usize, usize) {
        let order = hold(HoldState::Held, Vec::new()).order;
        let mut holds = HashMap::new();
        holds.extend(home.map(|state| ((order, HOME), hold(state, vec![line()]))));
        holds.extend(other.map(|state| ((order, line().offer.number()), hold(state, Vec::new()))));
        let journal = Journal {
            audit: Auditor::default().finish(),
            holds,
            positions: HashMap::new(),
            terms: BTreeMap::new(),
            offer_positions: BTreeMap::new(),
            records: 0,
            witness_missing: false,
            strays: Vec::new(),
        };
        let mut report = Report::default();
        check(&journal, &mut report);
        (report.disagreements.len(), report.in_flight.len())
    }

    #[test]
    fn a_line_says_what_its_home_says() {
        use HoldState::{Held, Paying, Prepared, Released, Returned, Sold};
        for state in [Held, Paying, Sold, Released, Returned] {
            assert_eq!(found(Some(state), Some(state)), (0, 0), "{state:?}");
        }
        assert_eq!(found(None, Some(Released)), (0, 0));
        assert_eq!(found(None, Some(Prepared)), (0, 1), "about to be placed or aborted");
        assert_eq!(found(Some(Held), Some(Prepared)), (0, 1), "about to be promoted");
        assert_eq!(found(Some(Paying), Some(Sold)), (0, 1), "about to be sold");
        assert_eq!(found(Some(Released), Some(Held)), (0, 1), "about to be released");
        assert_eq!(found(None, Some(Held)), (1, 0), "held for nobody");
        assert_eq!(found(Some(Sold), None), (1, 0), "sold, and never granted");
        assert_eq!(found(Some(Sold), Some(Paying)), (1, 0), "sold in part");
        assert_eq!(found(Some(Released), Some(Sold)), (1, 0), "sold for an order that ended");
    }
}
