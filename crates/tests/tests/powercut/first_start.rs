//! The power is cut while the shop starts for the first time: at any moment of it, the next start must go well.

use firstcome_tests::{Shop, ShopOptions, Storefront as _, gift_card};
use serde_json::json;

use super::{cut, put_on_forgetful_disk, put_on_good_disk};

/// Between two moments that are tried: one in so many syncs.
const STEP: usize = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_is_cut_off_can_be_repeated() {
    for moment in (1..).step_by(STEP) {
        let mut shop = Shop::prepare(ShopOptions { demo: true, ..ShopOptions::default() });
        std::fs::create_dir(shop.data()).expect("a data folder");
        put_on_forgetful_disk(&mut shop, &[("POWERCUT_CUT", moment.to_string()), ("POWERCUT_LEAK", "20".into())]);
        let started = shop.try_start().await.is_ok();
        cut(&mut shop);
        put_on_good_disk(&mut shop);
        shop.start_again().await;
        let offer = shop.seller().await.sell(&gift_card(10_000), &json!({})).await;
        shop.buyers(1)[0].order("key", &offer, 1).await.expect("an answer").want(201);
        shop.audit().ok();
        if started {
            // It was ready before its sync of this number: later moments are not part of the start.
            assert!(moment > 10, "only {moment} syncs were needed to start");
            return;
        }
    }
}
