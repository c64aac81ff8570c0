//! For every step of every scenario: fail before it, fail after it, repeat it, stop before it, stop after it. Then
//! everything is delivered again, and stock and money must agree.

use firstcome_core::ids::RefundId;
use firstcome_core::ledger::{Command, HoldState, Outcome};
use firstcome_core::ports::ProviderStatus;

use super::shop::{BY_CARD, OFFER, PRICE, Shop};
use crate::harm::Harm;

/// What is played through with harm at every step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scenario {
    Paid,
    Declined,
    PaidLateWithUnitsLeft,
    PaidLateWithNoneLeft,
    PaidLateWithTheCardSpent,
    ChargedWithoutUs,
    ChargedWithoutUsAndGone,
    ChargedTwice,
    Refunded,
    CanceledInTheConsole,
    Abandoned,
}

impl Scenario {
    /// What must have become of the order, whatever was harmed. None where the harm decides it.
    fn end(self, harmed: bool) -> Option<HoldState> {
        match self {
            Self::Paid | Self::ChargedWithoutUs | Self::ChargedTwice | Self::CanceledInTheConsole => {
                Some(HoldState::Sold)
            }
            Self::Declined => Some(HoldState::Held),
            Self::PaidLateWithUnitsLeft if !harmed => Some(HoldState::Sold),
            Self::PaidLateWithNoneLeft | Self::ChargedWithoutUsAndGone => Some(HoldState::Released),
            Self::Refunded => Some(HoldState::Returned),
            Self::PaidLateWithUnitsLeft | Self::PaidLateWithTheCardSpent | Self::Abandoned => None,
        }
    }
}

const FIRST: &str = "first";
const SECOND: &str = "second";

async fn play(scenario: Scenario, beside_card: bool, strike: Option<(usize, Harm)>) -> Option<String> {
    let mut shop = if beside_card { Shop::open_beside_card(1).await } else { Shop::open(1) };
    let order = shop.order("order");
    shop.provider.pay(FIRST, &order.to_string(), PRICE);
    prepare(scenario, &mut shop, order).await;
    if let Some((step, harm)) = strike {
        shop.steps.strike(step, harm);
    }
    act(scenario, &mut shop, order).await;
    shop.rest().await;
    // The buyer asks again with the same key, as a client that lost the answer does.
    if matches!(scenario, Scenario::Paid | Scenario::Refunded | Scenario::PaidLateWithUnitsLeft) {
        let again = shop.confirm("pay", order, FIRST).await;
        assert!(matches!(again, Some(200 | 202 | 409 | 503) | None), "{scenario:?} {strike:?}: {again:?}");
    }
    shop.rest().await;
    finish(scenario, &mut shop, order).await;
    shop.steps.calm();
    let struck = shop.steps.struck();
    let when = format!("{scenario:?}, {}{struck:?}", if beside_card { "beside a gift card, " } else { "" });
    verify(scenario, &shop, order, &when).await;
    // Everything comes once more: events, notices, workers.
    shop.deliver_again().await;
    shop.notice(FIRST).await;
    shop.rest().await;
    verify(scenario, &shop, order, &format!("{when}, delivered again")).await;
    struck
}

/// What happens before harm is done.
async fn prepare(scenario: Scenario, shop: &mut Shop, order: firstcome_core::ids::OrderId) {
    match scenario {
        Scenario::Declined => shop.provider.decline(FIRST, "REJECT_CARD_PAYMENT"),
        Scenario::PaidLateWithUnitsLeft => shop.expire(order),
        Scenario::PaidLateWithTheCardSpent => {
            shop.expire(order);
            shop.spend_card().await;
        }
        Scenario::PaidLateWithNoneLeft => {
            shop.expire(order);
            shop.order("another");
        }
        Scenario::ChargedWithoutUs => shop.provider.set(FIRST, ProviderStatus::Done),
        Scenario::ChargedWithoutUsAndGone => {
            shop.expire(order);
            shop.order("another");
            shop.provider.set(FIRST, ProviderStatus::Done);
        }
        Scenario::ChargedTwice => {
            shop.provider.pay(SECOND, &order.to_string(), PRICE);
            shop.provider.set(SECOND, ProviderStatus::Done);
        }
        Scenario::Refunded | Scenario::CanceledInTheConsole => {
            assert_eq!(shop.confirm("pay", order, FIRST).await, Some(200));
        }
        Scenario::Paid | Scenario::Abandoned => {}
    }
}

async fn act(scenario: Scenario, shop: &mut Shop, order: firstcome_core::ids::OrderId) {
    match scenario {
        Scenario::ChargedWithoutUs | Scenario::ChargedWithoutUsAndGone => shop.notice(FIRST).await,
        Scenario::ChargedTwice => {
            shop.confirm("pay", order, FIRST).await;
            shop.notice(SECOND).await;
        }
        Scenario::Refunded => {
            let refund = RefundId([5; 16]);
            let units = Command::Return { order, return_id: refund, quantity: 1, restock: true };
            assert!(matches!(shop.ledger.now(OFFER, &units), Outcome::Returned { .. }));
            let to_card = if shop.beside_card { BY_CARD } else { 0 };
            shop.approve_with_card(refund, order, PRICE.amount, to_card).await;
        }
        Scenario::CanceledInTheConsole => {
            shop.provider.cancel_in_console(FIRST, 400);
            shop.notice(FIRST).await;
        }
        Scenario::Abandoned => {
            // Nobody comes back after the first request, whatever its answer was.
            shop.confirm("pay", order, FIRST).await;
        }
        _ => {
            shop.confirm("pay", order, FIRST).await;
        }
    }
}

/// What the provider does again when the first try was harmed: a notice that was not answered with 200.
async fn finish(scenario: Scenario, shop: &mut Shop, _: firstcome_core::ids::OrderId) {
    let notices: &[&str] = match scenario {
        Scenario::ChargedWithoutUs | Scenario::ChargedWithoutUsAndGone | Scenario::CanceledInTheConsole => &[FIRST],
        Scenario::ChargedTwice => &[FIRST, SECOND],
        _ => &[],
    };
    for payment_key in notices {
        shop.notice(payment_key).await;
    }
    if scenario == Scenario::ChargedTwice {
        shop.confirm("pay", shop.order_of("order"), FIRST).await;
    }
    shop.rest().await;
}

async fn verify(scenario: Scenario, shop: &Shop, order: firstcome_core::ids::OrderId, when: &str) {
    let harmed = shop.steps.struck().is_some();
    if let Some(end) = scenario.end(harmed) {
        assert_eq!(shop.state(order), Some(end), "{when}");
    }
    if scenario == Scenario::CanceledInTheConsole {
        // Part of the money went back without us; the books say so once, and orders hears of it once.
        assert_eq!(shop.provider.kept(order), 600, "{when}");
        let attempts = shop.attempts(order).await;
        assert_eq!(attempts.iter().map(|attempt| attempt.refunded).sum::<i64>(), 400, "{when}");
        assert_eq!(shop.announced("payment.canceled_by_provider"), 1, "{when}");
        return;
    }
    shop.check(order, when).await;
    if scenario == Scenario::Refunded {
        assert_eq!(shop.announced("refund.done"), 1, "{when}");
        assert_eq!(shop.provider.payment(FIRST).cancels.len(), 1, "{when}");
    }
}

/// Plays a scenario unharmed, then with every harm at every step until there are no more steps.
async fn every_step(scenario: Scenario, beside_card: bool) {
    assert_eq!(play(scenario, beside_card, None).await, None);
    for harm in Harm::ALL {
        let mut step = 0;
        while play(scenario, beside_card, Some((step, harm))).await.is_some() {
            step += 1;
        }
        assert!(step > 2, "{scenario:?} has hardly any steps to harm");
    }
}

macro_rules! scenarios {
    ($($name:ident: $scenario:ident,)*) => {$(
        #[tokio::test]
        async fn $name() {
            if Scenario::$scenario != Scenario::PaidLateWithTheCardSpent {
                every_step(Scenario::$scenario, false).await;
            }
            every_step(Scenario::$scenario, true).await;
        }
    )*};
}

scenarios! {
    paid: Paid,
    declined: Declined,
    paid_late_with_units_left: PaidLateWithUnitsLeft,
    paid_late_with_none_left: PaidLateWithNoneLeft,
    paid_late_with_the_card_spent: PaidLateWithTheCardSpent,
    charged_without_us: ChargedWithoutUs,
    charged_without_us_and_gone: ChargedWithoutUsAndGone,
    charged_twice: ChargedTwice,
    refunded: Refunded,
    canceled_in_the_console: CanceledInTheConsole,
    abandoned: Abandoned,
}
