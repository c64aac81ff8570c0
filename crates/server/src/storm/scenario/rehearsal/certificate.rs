//! What must hold after a rehearsal, checked one by one. What was answered with success must be there, what was refused must not,
//! and what nobody knows may be either, but not half.

use std::collections::{HashMap, HashSet};

use super::LIMIT;
use super::books::Books;
use super::visitor::{Told, Visit};
use crate::storm::report::Check;

/// Every check.
pub(super) fn checks(visits: &[Visit], books: &Books) -> Vec<Check> {
    vec![
        not_oversold(books),
        nothing_pending(books),
        accepted_is_there(visits, books),
        refused_is_not_there(visits, books),
        one_order_per_key(visits),
        within_limit(books),
        paid_is_delivered(visits, books),
        canceled_is_canceled(visits, books),
        charges_match(books),
        deliveries_match(books),
        somebody_bought(books),
    ]
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

fn not_oversold(books: &Books) -> Check {
    let completed = completed(books);
    let holds = books.sold + books.held <= books.stock && completed == books.sold;
    let detail =
        format!("{} units, {} sold, {} held, {completed} completed orders", books.stock, books.sold, books.held);
    Check { what: "nothing is oversold".to_owned(), holds, detail }
}

fn nothing_pending(books: &Books) -> Check {
    let things =
        books.orders.iter().map(|(id, order)| (id.clone(), !matches!(order.state.as_str(), "PENDING" | "PAYING")));
    every("every order has come to its end", things)
}

fn accepted_is_there(visits: &[Visit], books: &Books) -> Check {
    let accepted = visits.iter().filter_map(|visit| Some((visit.buyer, visit.order.as_ref()?)));
    let there =
        |(buyer, id): (usize, &String)| (id.clone(), books.orders.get(id).is_some_and(|order| order.buyer == buyer));
    every("every accepted order is in its buyer's list", accepted.map(there))
}

fn refused_is_not_there(visits: &[Visit], books: &Books) -> Check {
    let accepted: HashSet<&String> = visits.iter().filter_map(|visit| visit.order.as_ref()).collect();
    let things = books.orders.keys().map(|id| (id.clone(), accepted.contains(id)));
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
        orders.map(|id| (id.clone(), state(books, id) == "COMPLETED" && books.vouchers.get(id) == Some(&1))),
    )
}

fn canceled_is_canceled(visits: &[Visit], books: &Books) -> Check {
    let canceled = visits.iter().filter(|visit| visit.canceled == Told::Yes).filter_map(|visit| visit.order.as_ref());
    every("every cancellation took effect", canceled.map(|id| (id.clone(), state(books, id) == "CANCELED")))
}

fn charges_match(books: &Books) -> Check {
    let mut kept: HashMap<&str, u32> = HashMap::new();
    for charge in books.charges.iter().filter(|charge| charge.balance > 0) {
        *kept.entry(&charge.order).or_default() += 1;
    }
    let holds = |(id, count): (&&str, &u32)| ((*id).to_owned(), *count == 1 && state(books, id) == "COMPLETED");
    every("every charge that was kept paid one completed order", kept.iter().map(holds))
}

fn deliveries_match(books: &Books) -> Check {
    let kept: HashSet<&str> =
        books.charges.iter().filter(|charge| charge.balance > 0).map(|charge| charge.order.as_str()).collect();
    let things = books.orders.iter().map(|(id, order)| {
        let vouchers = books.vouchers.get(id).copied().unwrap_or(0);
        let expected = u64::from(order.state == "COMPLETED");
        (id.clone(), vouchers == expected && kept.contains(id.as_str()) == (expected == 1))
    });
    every("every order has a voucher and its money, or neither", things)
}

fn somebody_bought(books: &Books) -> Check {
    let completed = completed(books);
    Check { what: "there were successes".to_owned(), holds: completed > 0, detail: format!("{completed} purchases") }
}
