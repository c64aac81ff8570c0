//! The shop is killed with SIGKILL at random moments of a sale, again and again; nothing answered may be lost, nothing sold
//! twice, no money kept without delivery.

use std::time::Duration;

use firstcome_tests::{Random, Shop, ShopOptions, Storefront as _};

use crate::faults;
use crate::sale::Sale;

/// How often it is killed when `FIRSTCOME_CRASH_ROUNDS` says nothing.
const ROUNDS: u64 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "the seed and the figures of the run")]
async fn killed_in_mid_sale() {
    let seed = Random::seed("FIRSTCOME_SEED");
    let rounds = rounds("FIRSTCOME_CRASH_ROUNDS", ROUNDS);
    eprintln!("killed_in_mid_sale: FIRSTCOME_SEED={seed} FIRSTCOME_CRASH_ROUNDS={rounds}");
    let mut random = Random::new(seed);
    let mut shop = Shop::start().await;
    let sale = Sale::prepare(&shop).await;
    let visitors = sale.open(&mut random);
    for round in 1..=rounds {
        faults::set(&shop.api(), &faults::draw(&mut random)).await;
        tokio::time::sleep(Duration::from_millis(50 + random.below(1_800))).await;
        shop.kill();
        if random.chance(25) {
            // Killed while it recovers from having been killed.
            shop.spawn();
            tokio::time::sleep(Duration::from_millis(random.below(300))).await;
            shop.kill();
        }
        shop.start_again().await;
        if round % 20 == 0 {
            sale.refresh_staff().await;
        }
    }
    sale.shut(visitors).await;
    let findings = sale.settle(&shop).await;
    eprintln!("killed_in_mid_sale: {}", sale.summary());
    assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
    sale.assert_busy(rounds);
    shop.audit().ok();
    shop.stop().await;
    shop.audit().ok();
}

/// A newcomer's very first start may be cut short too; the next one has the whole demo, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_first_start() {
    let mut random = Random::new(Random::seed("FIRSTCOME_SEED"));
    for _ in 0..6 {
        let mut shop = Shop::prepare(ShopOptions { demo: true, ..ShopOptions::default() });
        for _ in 0..=random.below(3) {
            shop.spawn();
            tokio::time::sleep(Duration::from_millis(random.below(400))).await;
            shop.kill();
        }
        shop.start_again().await;
        let offers = shop.api().get("/offers?limit=100").want(200).await;
        assert_eq!(offers["items"].as_array().map(Vec::len), Some(5), "{offers}");
        shop.audit().ok();
    }
}

/// A number of rounds from the environment.
pub(crate) fn rounds(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}
