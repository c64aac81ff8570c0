//! What an operator reads when a file of the data is gone or damaged: what is wrong, and the way out, which works.

use std::fs;
use std::process::Command;

use firstcome_tests::{Shop, Storefront as _, gift_card, program};
use serde_json::json;

/// A shop that has sold something and stopped.
async fn stopped() -> Shop {
    let mut shop = Shop::start().await;
    let offer = shop.seller().await.sell(&gift_card(50_000), &json!({"stock": 10})).await;
    shop.buyers(1)[0].order("one", &offer, 1).await.expect("an answer").want(201);
    assert!(shop.stop().await.success());
    shop.audit().ok();
    shop
}

fn remove_archive(shop: &Shop) {
    for name in ["holds.db", "holds.db-wal", "holds.db-shm"] {
        // After an orderly stop there is only the first.
        let _ = fs::remove_file(shop.data().join(name));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_witness() {
    let mut shop = stopped().await;
    fs::remove_file(shop.data().join("journal.witness")).expect("the witness");
    shop.try_start().await.expect_err("nobody can tell whether the journal is whole");
    assert!(shop.log().contains("firstcome audit"), "{}", shop.log());
    // The audit goes on without it, and says what to do.
    let audit = shop.audit();
    assert_eq!(audit.code, Some(1), "{}", audit.said());
    let one = audit.out.contains("disagreements: 1") && audit.out.contains("1 orders");
    assert!(one && audit.out.contains("server.accept_missing_witness"), "{}", audit.said());
    // Without either, the way out is the same.
    remove_archive(&shop);
    assert!(shop.audit().out.contains("disagreements: 2"), "{}", shop.audit().said());
    shop.options.environment = vec![("FIRSTCOME_SERVER_ACCEPT_MISSING_WITNESS".into(), "true".into())];
    shop.start_again().await;
    assert!(shop.stop().await.success());
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_or_damaged_archive() {
    let mut shop = stopped().await;
    remove_archive(&shop);
    let audit = shop.audit();
    assert_eq!(audit.code, Some(1), "{}", audit.said());
    assert!(audit.out.contains("holds.db: it is missing") && audit.out.contains("makes it again"), "{}", audit.said());
    fs::write(shop.data().join("holds.db"), vec![7; 20_000]).expect("damaged");
    let audit = shop.audit();
    assert_eq!(audit.code, Some(1), "{}", audit.said());
    assert!(audit.out.contains("holds.db") && audit.out.contains("makes it again"), "{}", audit.said());
    shop.try_start().await.expect_err("damaged");
    assert!(shop.log().contains("holds.db") && shop.log().contains("remove it"), "{}", shop.log());
    remove_archive(&shop);
    shop.start_again().await;
    assert!(shop.stop().await.success());
    shop.audit().ok();
}

#[test]
fn output_that_nobody_reads() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let ended = Command::new(program()).arg("config").stdout(writer).output().expect("the program can be started");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(141), ""));
}
