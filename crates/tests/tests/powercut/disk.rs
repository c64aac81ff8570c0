//! A disk that is full, and a sync that fails: the shop refuses and says why, or ends and says why. It never answers wrongly.

use std::time::Duration;

use firstcome_tests::{Random, Shop, Storefront as _};

use super::{cut, put_on_forgetful_disk, put_on_good_disk};
use crate::sale::Sale;

/// Runs a sale, lets the disk fail in its middle, and starts again on a good disk; everything answered must be there.
/// Gives back what the log said, and whether visitors were told: refused for the disk, or cut off by an end that is an error.
#[expect(clippy::print_stderr, reason = "what came of it")]
async fn sale_on_failing_disk(setting: &str, value: &str) -> (String, bool) {
    let mut random = Random::new(3);
    let mut shop = Shop::start().await;
    let sale = Sale::prepare(&shop).await;
    shop.stop().await;
    let trigger = shop.scratch().join("fails");
    let trigger_text = trigger.to_str().expect("a plain name").to_owned();
    put_on_forgetful_disk(&mut shop, &[(setting, value.into()), ("POWERCUT_TRIGGER", trigger_text)]);
    shop.start_again().await;
    let visitors = sale.open(&mut random);
    tokio::time::sleep(Duration::from_secs(2)).await;
    sale.let_disk_fail(true);
    let said_before = shop.log().len();
    std::fs::write(&trigger, "").expect("a trigger");
    let over = tokio::time::Instant::now() + Duration::from_secs(15);
    let mut ended = None;
    while ended.is_none() && sale.refused_for_the_disk() < 200 && tokio::time::Instant::now() < over {
        tokio::time::sleep(Duration::from_millis(20)).await;
        ended = shop.ended();
    }
    let said = shop.log()[said_before..].to_owned();
    eprintln!("{setting}: ended {ended:?}, refused {} times for it", sale.refused_for_the_disk());
    if let Some(status) = ended {
        assert!(!status.success(), "the shop ended as if all were well: {said}");
    }
    let told = ended.is_some() || sale.refused_for_the_disk() > 0;
    cut(&mut shop);
    sale.let_disk_fail(false);
    put_on_good_disk(&mut shop);
    shop.start_again().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    sale.shut(visitors).await;
    let findings = sale.settle(&shop).await;
    assert!(findings.is_empty(), "{findings:#?}");
    shop.audit().ok();
    (said.to_lowercase(), told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_loses_nothing() {
    // Full at once, and full in the middle of something.
    let mut anyone_told = false;
    for room in ["0", "150000", "600000"] {
        let (said, told) = sale_on_failing_disk("POWERCUT_FULL", room).await;
        let names_it = said.contains("full") || said.contains("no space");
        assert!(names_it, "room for {room}: the log does not say that the disk is full: {said}");
        // A log that does not need to grow takes orders even then, and whatever it takes it keeps; so not every room
        // must end in a refusal.
        anyone_told |= told;
    }
    assert!(anyone_told, "the disk was full and nobody was told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_is_said_and_loses_nothing() {
    for sync in ["1", "20", "45"] {
        let (said, told) = sale_on_failing_disk("POWERCUT_SYNC_FAILS", sync).await;
        assert!(told, "sync {sync}: the disk failed and nobody was told: {said}");
        let names_it = ["sync", "i/o error", "input/output"].iter().any(|word| said.contains(word));
        assert!(names_it, "sync {sync}: the log does not say that a sync failed: {said}");
    }
}
