//! The books of some days, page by page.

use std::time::Duration;

use super::shop::{HOME, SECOND, Shop, THIRD, offer};
use crate::orders::sheet::Sheet;
use crate::sheet::{AskedDays, Rows as _};
use firstcome_core::money::{Currency, Money};

/// The rows of the file of a day, so many orders read at a time.
async fn rows(shop: &Shop, day: &str, page: usize) -> Vec<Vec<String>> {
    let asked: AskedDays = serde_json::from_value(serde_json::json!({"from": day, "to": day})).expect("days");
    let days = asked.within(&shop.ports.time_zone).expect("a day");
    let mut sheet = Sheet::of(shop.orders.clone(), &days, page);
    let mut rows = Vec::new();
    loop {
        let next = sheet.next().await.expect("read");
        if next.is_empty() {
            return rows;
        }
        rows.extend(next);
    }
}

#[tokio::test]
async fn each_line_of_the_days_is_written_once_whatever_the_pages() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    for (key, lines) in [
        ("one", &[(HOME, 1)][..]),
        ("three", &[(HOME, 1), (SECOND, 2), (THIRD, 1)]),
        ("two", &[(SECOND, 1), (THIRD, 1)]),
    ] {
        shop.place(key, lines).await.expect("alive").expect(key);
        shop.clock.advance(Duration::from_secs(1));
    }
    shop.clock.advance(Duration::from_hours(24));
    shop.place("tomorrow", &[(THIRD, 1)]).await.expect("alive").expect("placed");
    let entries = shop.ports.ledger.entries(0, 1_000).await.expect("read");
    shop.ports.archive.apply(&entries).expect("taken");

    let all = rows(&shop, "2027-01-15", 100).await;
    let ids = [HOME, SECOND, THIRD].map(|number| offer(number, Money::new(1, Currency::KRW)).offer_id.to_string());
    let [home, second, third] = &ids;
    // Offer, quantity, amount: the latest order first, in each its home.
    let lines: Vec<_> = all.iter().map(|row| (&row[1], row[3].as_str(), row[5].as_str())).collect();
    let expected = [
        (second, "1", "300"),
        (third, "1", "50"),
        (home, "1", "1000"),
        (second, "2", "600"),
        (third, "1", "50"),
        (home, "1", "1000"),
    ];
    assert_eq!(lines, expected);
    for page in 1..4 {
        assert_eq!(rows(&shop, "2027-01-15", page).await, all, "{page} orders a page");
    }
    assert_eq!(rows(&shop, "2027-01-16", 1).await.len(), 1);
    assert!(rows(&shop, "2027-01-14", 1).await.is_empty());
}
