//! Books that somebody altered by hand: the audit disagrees and says where; a journal that was altered, or is shorter than its
//! witness, is refused at the start, with the place named.

use std::fs;
use std::path::{Path, PathBuf};

use firstcome_core::ids::OrderId;
use firstcome_tests::{Api, SOON, Shop, ShopOptions, Storefront as _, gift_card, until};
use rusqlite::Connection;
use serde_json::json;

/// The books of a shop that has stopped, and the orders in them.
struct Original {
    shop: Shop,
    /// Paid and delivered.
    bought: String,
    /// Paid, then canceled and refunded.
    refunded: String,
}

impl Original {
    async fn make() -> Self {
        let mut shop = Shop::start().await;
        let offer = shop.seller().await.sell(&gift_card(50_000), &json!({"stock": 10})).await;
        let buyer = shop.buyers(1).remove(0);
        let mut orders = Vec::new();
        for key in ["one", "two", "three"] {
            let order = buyer.order(key, &offer, 1).await.expect("an answer").want(201);
            orders.push(order["order_id"].as_str().expect("an order_id").to_owned());
            if key != "three" {
                buyer.pay(&order).await;
            }
        }
        until("both are delivered", SOON, async || vouchers_and_refunds(&buyer).await.0 == 2).await;
        buyer.cancel("cancel", &orders[1]).await.expect("an answer").want(200);
        until("one is refunded", SOON, async || vouchers_and_refunds(&buyer).await.1 == 1).await;
        let stopped = shop.stop().await;
        assert!(stopped.success(), "stopped with {stopped}");
        shop.audit().ok();
        Self { shop, bought: orders.remove(0), refunded: orders.remove(0) }
    }

    /// The same books in another folder.
    fn copy(&self) -> Shop {
        let copy = Shop::prepare(ShopOptions::default());
        copy_folder(self.shop.data(), copy.data());
        copy
    }
}

/// How many vouchers the buyer has, and how many canceled orders with their refunds done.
async fn vouchers_and_refunds(buyer: &Api) -> (usize, usize) {
    let vouchers = buyer.vouchers().await.expect("vouchers").len();
    let mut refunded = 0;
    for order in buyer.orders().await.expect("orders").iter().filter(|order| order["state"] == "CANCELED") {
        let id = order["order_id"].as_str().expect("an order_id");
        let payment = buyer.payment_of(id).await.expect("an answer").want(200);
        refunded += usize::from(payment["refunds"][0]["state"] == "DONE");
    }
    (vouchers, refunded)
}

/// Everything in a folder, into another.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file that can be copied");
        }
    }
}

/// The database in this folder that has a table of this name.
fn database_with(folder: &Path, table: &str) -> (PathBuf, Connection) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0")) {
                let database = Connection::open(&path).expect("a database");
                let query = "select count(*) from sqlite_schema where type = 'table' and name = ?1";
                if database.query_row(query, [table], |row| row.get::<_, i64>(0)).expect("a schema") == 1 {
                    return (path, database);
                }
            }
        }
    }
    panic!("no database has a table {table}")
}

/// Runs a statement in the database that has this table; it must change something. `?1` in it is the order's id.
fn alter(shop: &Shop, table: &str, statement: &str, order: Option<&str>) {
    let (_, database) = database_with(shop.data(), table);
    let changed = match order {
        Some(order) => database.execute(statement, [order.parse::<OrderId>().expect("an order id").0.as_slice()]),
        None => database.execute(statement, []),
    };
    assert!(changed.expect(statement) > 0, "{statement} changed nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn altered_books_are_found_by_the_audit() {
    let original = Original::make().await;
    original.copy().audit().ok();
    let (bought, refunded) = (original.bought.as_str(), original.refunded.as_str());
    let row = "instr(hold, ?1) > 0";
    let movement =
        "insert into voucher_movements (id, voucher, kind, amount, balance, at, version) select randomblob(16), id,";
    let its_own = r#"where "order" = ?1"#;
    // The head of the array, the order in 17 bytes, the person in 17: this is the last of the person.
    let person = "hold = cast(substr(hold, 1, 34) || x'ff' || substr(hold, 36) as blob)";
    let of_order = r#"voucher in (select id from vouchers where "order" = ?1)"#;
    let cases = [
        ("payments", bought, "update payments set amount = amount + 1 where order_id = ?1".to_owned()),
        ("payments", bought, "update payments set state = 'FAIL' where order_id = ?1".into()),
        ("payments", bought, "delete from payments where order_id = ?1".into()),
        ("payments", refunded, "update payments set refunded = refunded - 1 where order_id = ?1".into()),
        ("payments", refunded, "update payments set state = 'DONE', refunded = 0 where order_id = ?1".into()),
        ("vouchers", bought, r#"delete from vouchers where "order" = ?1"#.into()),
        ("vouchers", bought, r#"update vouchers set voided = 1 where "order" = ?1"#.into()),
        ("vouchers", bought, r#"update vouchers set balance = balance + 1 where "order" = ?1"#.into()),
        ("vouchers", bought, r#"update vouchers set face = face + 1, balance = balance + 1 where "order" = ?1"#.into()),
        ("vouchers", refunded, r#"update vouchers set voided = 0 where "order" = ?1"#.into()),
        ("payments", bought, format!("update payments set {} where order_id = ?1", another("person"))),
        ("payments", refunded, "update refunds set amount = amount - 1 where order_id = ?1".into()),
        ("payments", refunded, "update refunds set state = 'PENDING' where order_id = ?1".into()),
        ("payments", refunded, format!("update refunds set {} where order_id = ?1", another("payment_id"))),
        ("payments", refunded, "delete from refunds where order_id = ?1".into()),
        (ORDERS, refunded, r#"update refunds set amount = 7 where "order" = ?1"#.into()),
        (ORDERS, refunded, r#"update refunds set amount = amount + 1 where "order" = ?1"#.into()),
        (ORDERS, refunded, r#"update refunds set state = 'REFUSED' where "order" = ?1"#.into()),
        (ORDERS, refunded, r#"update refunds set state = 'QUARANTINED', amount = 0 where "order" = ?1"#.into()),
        (ORDERS, refunded, format!(r#"update refunds set {} where "order" = ?1"#, another("user"))),
        (ORDERS, refunded, r#"delete from refunds where "order" = ?1"#.into()),
        ("vouchers", bought, format!(r#"update vouchers set {} where "order" = ?1"#, another("user"))),
        ("vouchers", bought, r#"update vouchers set valid_until = valid_until + 1 where "order" = ?1"#.into()),
        ("vouchers", bought, r#"update vouchers set kind = 'ticket' where "order" = ?1"#.into()),
        ("vouchers", bought, r#"update vouchers set currency = 'USD' where "order" = ?1"#.into()),
        ("vouchers", bought, r#"update vouchers set code = code || '9' where "order" = ?1"#.into()),
        ("vouchers", refunded, format!("delete from voucher_movements where kind = 'voided' and {of_order}")),
        ("vouchers", bought, format!("{movement} 'voided', balance, 0, issued_at, 1 from vouchers {its_own}")),
        ("vouchers", bought, format!("{movement} 'redeemed', 1, balance - 1, issued_at, 1 from vouchers {its_own}")),
        ("holds", bought, format!("update holds set {person} where {row}")),
        ("holds", bought, format!("update holds set hold = cast(substr(hold, 1, 40) as blob) where {row}")),
        ("holds", bought, format!("update holds set state = 'CANCELED' where {row}")),
        ("holds", bought, format!("delete from holds where {row}")),
        (
            "holds",
            bought,
            format!("insert into holds select row + 100, offer, state, open_on, hold from holds where {row}"),
        ),
        ("holds", refunded, format!("update holds set state = 'COMPLETED' where {row}")),
    ];
    let mut unnoticed = Vec::new();
    for (table, order, statement) in cases {
        let copy = original.copy();
        alter(&copy, table, &statement, Some(order));
        let audit = copy.audit();
        if audit.code == Some(0) || audit.code.is_none() || !audit.said().contains(order) {
            unnoticed.push(format!("{statement} ({order}): exit {:?}\n{}", audit.code, audit.said()));
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

/// A table of the orders role alone; its refunds have the name of those of payments.
const ORDERS: &str = "cancel_requests";

/// Another id in a column.
fn another(column: &str) -> String {
    format!(r#""{column}" = cast(substr("{column}", 1, 15) || x'fe' as blob)"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_catalogue_and_lost_vouchers_are_found_by_the_audit() {
    let original = Original::make().await;
    let cases = [
        ("products", "catalogue, offer", "update offers set initial_stock = initial_stock + 1"),
        ("products", "catalogue, offer", "update offers set closes_at = 1"),
        (
            "products",
            "catalogue, offer",
            "update offers set offer = replace(offer, '\"max_per_order\":', '\"max_per_order\":1')",
        ),
        ("products", "catalogue, offer", "delete from offers"),
        ("vouchers", "what its offer sells", "delete from sold_products"),
        ("vouchers", "something happened to it", "delete from vouchers where voided"),
    ];
    for (table, named, statement) in cases {
        let copy = original.copy();
        alter(&copy, table, statement, None);
        let audit = copy.audit();
        assert_ne!(audit.code, Some(0), "{statement}: {}", audit.said());
        assert!(audit.said().contains(named), "{statement}: {}", audit.said());
    }
}

/// What is written behind the journal is under way when its writer was not so far yet, and no disagreement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_still_to_be_written_is_in_flight() {
    let original = Original::make().await;
    let (bought, copy) = (original.bought.as_str(), original.copy());
    alter(&copy, "holds", "update progress set position = 0", None);
    alter(&copy, "holds", "delete from holds where instr(hold, ?1) > 0", Some(bought));
    let delivery = "update positions set position = 0 where consumer = 'vouchers.delivery'";
    alter(&copy, "vouchers", delivery, None);
    alter(&copy, "vouchers", r#"delete from vouchers where "order" = ?1"#, Some(bought));
    let said = copy.audit().ok();
    assert!(said.contains("still to be written") && said.contains("still to be delivered"), "{said}");
}

/// Starts a copy with an altered journal: it must end at once and name the place; so must the audit.
async fn refused(original: &Original, statement: &str, start: Start) {
    let mut copy = original.copy();
    alter(&copy, "journal", statement, None);
    let audit = copy.audit();
    assert_ne!(audit.code, Some(0), "{statement}: the audit agrees: {}", audit.said());
    assert!(audit.said().contains("journal"), "{statement}: {}", audit.said());
    if matches!(start, Start::FromNothing) {
        fs::remove_file(copy.data().join("holds.db")).expect("the archive");
    }
    let Err(status) = copy.try_start().await else { panic!("{statement}: started as if nothing had happened") };
    assert!(status.code().is_some_and(|code| code != 0), "{statement}: ended with {status}");
    let said = copy.log();
    let names_it = said.contains("journal") && said.contains(|letter: char| letter.is_ascii_digit());
    assert!(names_it && !said.contains("panicked"), "{statement}: {said}");
}

/// Where a start begins to read the journal.
#[derive(Clone, Copy)]
enum Start {
    /// After what the archive has taken.
    FromSnapshot,
    /// At its first record, because the archive is gone.
    FromNothing,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_journal_is_refused() {
    let original = Original::make().await;
    original.copy().start_again().await;
    let flipped = "record = cast(substr(record, 1, 20) || x'ff' || substr(record, 22) as blob)";
    let altered = [
        &format!("update journal set {flipped} where position = 2"),
        "update journal set record = zeroblob(length(record)) where position = 3",
        "update journal set hash = zeroblob(32) where position = 2",
        "update journal set chain = zeroblob(length(chain)) where position = 2",
        "delete from journal where position = 2",
    ];
    for statement in altered {
        refused(&original, statement, Start::FromNothing).await;
        refused(&original, statement, Start::FromSnapshot).await;
    }
    let shorter = [
        "delete from journal where position = (select max(position) from journal)",
        "delete from journal where position > 2",
        "delete from journal",
    ];
    for statement in shorter {
        refused(&original, statement, Start::FromSnapshot).await;
    }
}

/// SQLite leaves a damaged frame of its write-ahead log out, and everything after it, without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_sqlite_cut_short_is_refused() {
    let mut shop = Shop::start().await;
    let offer = shop.seller().await.sell(&gift_card(50_000), &json!({"stock": 1_000})).await;
    for (number, buyer) in shop.buyers(20).iter().enumerate() {
        buyer.order(&format!("key-{number}"), &offer, 1).await.expect("an answer").want(201);
    }
    let log = {
        let (path, _database) = database_with(shop.data(), "journal");
        PathBuf::from(format!("{}-wal", path.display()))
    };
    shop.kill();
    let mut bytes = fs::read(&log).expect("a write-ahead log");
    assert!(bytes.len() > 40_000, "the log is too short for this test: {}", bytes.len());
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&log, bytes).expect("a log that can be written");
    let Err(status) = shop.try_start().await else { panic!("started with half of its journal") };
    assert!(status.code().is_some_and(|code| code != 0), "ended with {status}");
    assert!(shop.log().contains("journal"), "{}", shop.log());
}
