//! The sale of `crash.rs`, with the power cut instead of the program killed; and the same on a disk that lies about syncing,
//! where the checker must find that answers were lost.

use std::time::Duration;

use firstcome_tests::{Random, SOON, Shop, Storefront as _, until};

use super::{cut, put_on_forgetful_disk, put_on_good_disk};
use crate::crash::rounds;
use crate::faults;
use crate::sale::Sale;

/// How often the power is cut when `FIRSTCOME_POWERCUT_ROUNDS` says nothing.
const ROUNDS: u64 = 15;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "the seed and the figures of the run")]
async fn power_cut_in_mid_sale() {
    let seed = Random::seed("FIRSTCOME_SEED");
    let rounds = rounds("FIRSTCOME_POWERCUT_ROUNDS", ROUNDS);
    eprintln!("power_cut_in_mid_sale: FIRSTCOME_SEED={seed} FIRSTCOME_POWERCUT_ROUNDS={rounds}");
    let mut random = Random::new(seed);
    let mut shop = Shop::start().await;
    let sale = Sale::prepare(&shop).await;
    shop.stop().await;
    start(&mut shop, &mut random).await;
    let visitors = sale.open(&mut random);
    for round in 1..=rounds {
        faults::set(&shop.api(), &faults::draw(&mut random)).await;
        // A sync that is cut in its middle ends the program by itself, unless the time is over before.
        let over = tokio::time::Instant::now() + Duration::from_millis(50 + random.below(1_800));
        while shop.ended().is_none() && tokio::time::Instant::now() < over {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cut(&mut shop);
        start(&mut shop, &mut random).await;
        if round % 20 == 0 {
            sale.refresh_staff().await;
        }
    }
    cut(&mut shop);
    put_on_good_disk(&mut shop);
    shop.start_again().await;
    sale.shut(visitors).await;
    let findings = sale.settle(&shop).await;
    eprintln!("power_cut_in_mid_sale: {}", sale.summary());
    assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
    sale.assert_busy(rounds);
    shop.audit().ok();
}

/// Starts on the disk that forgets. In half of the lives a sync will be cut in its middle, which can also be one of those that
/// the start itself needs.
async fn start(shop: &mut Shop, random: &mut Random) {
    let cut_at = if random.chance(50) { 1 + random.below(400) } else { 0 };
    let leak = [0, 20, 60][random.below(3) as usize];
    let settings = [("POWERCUT_CUT", cut_at), ("POWERCUT_LEAK", leak), ("POWERCUT_SEED", random.below(1_000_000))];
    let settings = settings.map(|(name, value)| (name, value.to_string()));
    put_on_forgetful_disk(shop, &settings);
    if shop.try_start().await.is_ok() {
        return;
    }
    cut(shop);
    put_on_forgetful_disk(shop, &settings[1..]);
    shop.start_again().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_lies_is_found_out() {
    let mut random = Random::new(1);
    let mut shop = Shop::start().await;
    let sale = Sale::prepare(&shop).await;
    shop.stop().await;
    let trigger = shop.scratch().join("lie");
    let trigger_text = trigger.to_str().expect("a plain name").to_owned();
    put_on_forgetful_disk(&mut shop, &[("POWERCUT_LIE", "1".into()), ("POWERCUT_TRIGGER", trigger_text)]);
    shop.start_again().await;
    let visitors = sale.open(&mut random);
    tokio::time::sleep(Duration::from_secs(1)).await;
    std::fs::write(&trigger, "").expect("a trigger");
    let before = sale.history().placed();
    until("twenty orders more", SOON, async || sale.history().placed() >= before + 20).await;
    cut(&mut shop);
    put_on_good_disk(&mut shop);
    shop.start_again().await;
    sale.shut(visitors).await;
    let findings = sale.findings_now(&shop).await;
    let lost = |rule: &str| findings.iter().any(|finding| finding.rule == rule);
    let found_out = ["lost_order", "another_answer", "changed_order", "lost_payment"].into_iter().any(lost);
    assert!(found_out, "lost answers went unnoticed: {findings:#?}");
}
