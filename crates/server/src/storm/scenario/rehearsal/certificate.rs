//! What must hold after a rehearsal, checked one by one. What was answered with success must be there, what was refused must not,
//! and what nobody knows may be either, but not half.

use std::collections::{HashMap, HashSet};

use super::LIMIT;
use super::books::Books;
use super::visitor::{Told, Visit};
use crate::storm::report::Check;

/// What holds of a sale at the moment when its books were read.
pub(super) struct Certificate {
    /// Every check.
    pub(super) checks: Vec<Check>,
    /// The first thing that the shop may still bring to its end; none when waiting changes nothing any more.
    pub(super) waits_for: Option<String>,
}

/// Makes every check.
pub(super) fn certify(visits: &[Visit], books: &Books) -> Certificate {
    let lasting = [
        not_oversold(books),
        refused_is_not_there(visits, books),
        one_order_per_key(visits),
        within_limit(books),
        somebody_bought(books),
    ];
    let passing = [
        nothing_pending(books),
        nothing_held(books),
        sold_is_completed(books),
        accepted_is_there(visits, books),
        paid_is_delivered(visits, books),
        canceled_is_canceled(visits, books),
        charges_match(books),
        deliveries_match(books),
    ];
    let waits_for = passing.iter().find(|check| !check.holds).map(|check| format!("{}: {}", check.what, check.detail));
    Certificate { checks: lasting.into_iter().chain(passing).collect(), waits_for }
}

/// A check over things that each hold or do not.
fn every(what: &str, things: impl Iterator<Item = (String, bool)>) -> Check {
    let (mut count, mut wrong) = (0, Vec::new());
    for (name, holds) in things {
        count += 1;
        if !holds {
            wrong.push(name);
        }
    }
    let named = wrong.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    let detail =
        if wrong.is_empty() { format!("{count}") } else { format!("{} of {count} are not: {named}", wrong.len()) };
    Check { what: what.to_owned(), holds: wrong.is_empty(), detail }
}

fn completed(books: &Books) -> u64 {
    books.orders.values().filter(|order| order.state == "COMPLETED").count() as u64
}

fn state<'a>(books: &'a Books, order: &str) -> &'a str {
    books.orders.get(order).map_or("missing", |order| order.state.as_str())
}

/// An order as it is named where it stands wrong: with the state in which it is.
fn named(books: &Books, order: &str) -> String {
    format!("{order} ({})", state(books, order))
}

fn not_oversold(books: &Books) -> Check {
    let holds = books.sold + books.held <= books.stock && completed(books) <= books.stock;
    let detail = format!("{} units, {} sold, {} held", books.stock, books.sold, books.held);
    Check { what: "nothing is oversold".to_owned(), holds, detail }
}

fn nothing_pending(books: &Books) -> Check {
    let ended = |state: &str| !matches!(state, "PENDING" | "PAYING");
    let things = books.orders.iter().map(|(id, order)| (named(books, id), ended(&order.state)));
    every("every order has come to its end", things)
}

fn nothing_held(books: &Books) -> Check {
    let detail = format!("{} units are set aside", books.held);
    Check { what: "no unit is set aside any more".to_owned(), holds: books.held == 0, detail }
}

fn sold_is_completed(books: &Books) -> Check {
    let completed = completed(books);
    let detail = format!("{} units sold, {completed} completed orders", books.sold);
    Check { what: "every unit sold has its order".to_owned(), holds: completed == books.sold, detail }
}

fn accepted_is_there(visits: &[Visit], books: &Books) -> Check {
    let accepted = visits.iter().filter_map(|visit| Some((visit.buyer, visit.order.as_ref()?)));
    let there = |(buyer, id): (usize, &String)| {
        (named(books, id), books.orders.get(id).is_some_and(|order| order.buyer == buyer))
    };
    every("every accepted order is in its buyer's list", accepted.map(there))
}

fn refused_is_not_there(visits: &[Visit], books: &Books) -> Check {
    let accepted: HashSet<&String> = visits.iter().filter_map(|visit| visit.order.as_ref()).collect();
    let things = books.orders.keys().map(|id| (named(books, id), accepted.contains(id)));
    every("every order in the lists was accepted", things)
}

fn one_order_per_key(visits: &[Visit]) -> Check {
    every("the same key gave the same answer", visits.iter().map(|visit| (visit.key.clone(), !visit.twins_differ)))
}

fn within_limit(books: &Books) -> Check {
    let mut bought: HashMap<usize, u32> = HashMap::new();
    for order in books.orders.values().filter(|order| order.state == "COMPLETED") {
        *bought.entry(order.buyer).or_default() += 1;
    }
    every(
        "every buyer stayed within the limit",
        bought.iter().map(|(buyer, count)| (format!("buyer {buyer}"), *count <= LIMIT)),
    )
}

fn paid_is_delivered(visits: &[Visit], books: &Books) -> Check {
    let paid =
        visits.iter().filter(|visit| visit.paid == Told::Yes && matches!(visit.canceled, Told::NotAsked | Told::No(_)));
    let orders = paid.filter_map(|visit| visit.order.as_ref());
    every(
        "every confirmed payment has its voucher",
        orders.map(|id| (named(books, id), state(books, id) == "COMPLETED" && books.vouchers.get(id) == Some(&1))),
    )
}

fn canceled_is_canceled(visits: &[Visit], books: &Books) -> Check {
    let canceled = visits.iter().filter(|visit| visit.canceled == Told::Yes).filter_map(|visit| visit.order.as_ref());
    every("every cancellation took effect", canceled.map(|id| (named(books, id), state(books, id) == "CANCELED")))
}

fn charges_match(books: &Books) -> Check {
    let mut kept: HashMap<&str, u32> = HashMap::new();
    for charge in books.charges.iter().filter(|charge| charge.balance > 0) {
        *kept.entry(&charge.order).or_default() += 1;
    }
    let holds = |(id, count): (&&str, &u32)| (named(books, id), *count == 1 && state(books, id) == "COMPLETED");
    every("every charge that was kept paid one completed order", kept.iter().map(holds))
}

fn deliveries_match(books: &Books) -> Check {
    let kept: HashSet<&str> =
        books.charges.iter().filter(|charge| charge.balance > 0).map(|charge| charge.order.as_str()).collect();
    let things = books.orders.iter().map(|(id, order)| {
        let vouchers = books.vouchers.get(id).copied().unwrap_or(0);
        let expected = u64::from(order.state == "COMPLETED");
        (named(books, id), vouchers == expected && kept.contains(id.as_str()) == (expected == 1))
    });
    every("every order has a voucher and its money, or neither", things)
}

fn somebody_bought(books: &Books) -> Check {
    let completed = completed(books);
    Check { what: "there were successes".to_owned(), holds: completed > 0, detail: format!("{completed} purchases") }
}
