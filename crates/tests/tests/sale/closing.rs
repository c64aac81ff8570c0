//! After the last crash: everything is asked again, then the books must come to agree, by themselves.

use std::time::Duration;

use firstcome_tests::Storefront;
use futures_util::{StreamExt as _, stream};

use super::Sale;
use super::check::{Finding, check};
use super::history::{Told, Wish};
use crate::faults;

/// How long what is under way may take to end: short holds, retries at the provider, refunds.
const SETTLED_WITHIN: Duration = Duration::from_secs(200);

impl Sale {
    /// Asks everything again and waits until the books agree; gives what is wrong if they do not. The shop must run.
    pub(crate) async fn settle(&self, shop: &impl Storefront) -> Vec<Finding> {
        self.ask_everything_again(shop).await;
        let give_up = tokio::time::Instant::now() + SETTLED_WITHIN;
        loop {
            let books = self.read().await.expect("a shop that answers");
            let findings = check(&self.history(), &self.offers, &books);
            if findings.is_empty() || tokio::time::Instant::now() > give_up {
                return findings;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Asks everything again and gives what is wrong at this moment.
    pub(crate) async fn findings_now(&self, shop: &impl Storefront) -> Vec<Finding> {
        self.ask_everything_again(shop).await;
        let books = self.read().await.expect("a shop that answers");
        check(&self.history(), &self.offers, &books)
    }

    async fn ask_everything_again(&self, shop: &impl Storefront) {
        self.refresh_staff().await;
        faults::set(&shop.api(), &[]).await;
        self.ask_again().await;
    }

    /// Repeats requests with their keys: what was answered is answered the same, and what was in doubt is decided now.
    /// Half of the payments in doubt are left alone: who never comes back must be served too.
    async fn ask_again(&self) {
        let wishes = std::mem::take(&mut self.history().wishes);
        let asked =
            stream::iter(wishes.into_iter().enumerate()).map(|(number, wish)| self.ask_all(wish, number % 2 == 0));
        let asked: Vec<Wish> = asked.buffer_unordered(8).collect().await;
        self.history().wishes = asked;
    }

    async fn ask_all(&self, mut wish: Wish, all: bool) -> Wish {
        let again = self.ask(&wish, true).await;
        wish.again = match &again {
            Told::Ok(placed) => Told::Ok(placed.id.clone()),
            Told::No(code) => Told::No(code.clone()),
            Told::Unknown => Told::Unknown,
        };
        if wish.order.is_unknown() {
            wish.order = again;
        }
        let Told::Ok(placed) = wish.order.clone() else { return wish };
        for payment in &mut wish.payments {
            if payment.told.ok().is_some() || (all && payment.told.is_unknown()) {
                payment.again = self.confirm(wish.buyer, &placed, payment, true).await;
            }
            if let Told::Unknown = payment.told {
                payment.told = payment.again.clone();
            }
        }
        for usage in wish.uses.iter_mut().filter(|usage| !matches!(usage.told, Told::No(_))) {
            let again = self.redeem(usage, true).await;
            if usage.told.ok().is_some() && again.ok().is_none() {
                self.surprise(format!("{usage:?} was answered again with {again:?}"));
            }
            usage.told = again;
        }
        wish
    }
}
