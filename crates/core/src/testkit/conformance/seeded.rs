//! The same seeded sale on the ledger and on the model.

use super::Check;
use super::shop::{Shop, ensure, same};
use crate::ids::OfferNumber;
use crate::ledger::{Command, Event, Outcome};
use crate::testkit::harness::LedgerHarness;
use crate::testkit::history::{Sale, Seeded, Step};
use crate::testkit::model::Model;

/// Seeds that the clause runs; others by [`same_history`].
const SEEDS: u64 = 6;
const STEPS: usize = 100;

/// The ledger answers and records what the model does, with restarts, crashes and an archive in between.
pub(super) async fn same_as_the_model(harness: &mut dyn LedgerHarness) -> Check {
    for seed in 1..=SEEDS {
        let number = OfferNumber(seed as u32);
        same_history(harness, number, seed, STEPS).await.map_err(|found| format!("seed {seed}: {found}"))?;
    }
    Ok(())
}

/// Runs a seeded history of `steps` on a new offer and on the model: they must agree, event for event.
pub async fn same_history(harness: &mut dyn LedgerHarness, number: OfferNumber, seed: u64, steps: usize) -> Check {
    let shop = Shop::new(harness);
    let (sale, mut seeded) = (Sale { number, start: shop.now() }, Seeded::new(seed));
    let mut pair = Pair { shop, sale, model: Model::default(), seq: 0 };
    pair.step(&Command::SetTerms(sale.first_terms())).await?;
    for index in 0..steps {
        let step = Step::draw(&mut seeded);
        pair.shop.advance(Sale::wait(step));
        let command = sale.command(step);
        pair.step(&command).await.map_err(|found| format!("step {index}: {found}"))?;
        match index % 50 {
            20 | 35 => pair.shop.archive().await?,
            30 => pair.shop.restart().await?,
            45 => pair.shop.crash().await?,
            _ => {}
        }
    }
    pair.compare_all().await
}

struct Pair<'a> {
    shop: Shop<'a>,
    sale: Sale,
    model: Model,
    seq: u64,
}

impl Pair<'_> {
    /// One command on both. What is due is released before and after it, so that it does not matter when the ledger's own
    /// clock comes by.
    async fn step(&mut self, command: &Command) -> Check {
        let mut expected = self.expire().await?;
        let (outcome, events) = self.model.apply(command, self.shop.now());
        expected.extend(events);
        let found = self.shop.decide_on(self.sale.number, command.clone()).await?;
        same(&format!("the outcome of {command:?}"), found, outcome)?;
        expected.extend(self.expire().await?);
        let recorded = self.recorded().await?;
        same(&format!("the events of {command:?}"), recorded, expected)
    }

    async fn expire(&mut self) -> Result<Vec<Event>, String> {
        self.shop.expire(self.sale.number).await?;
        let mut expected = Vec::new();
        loop {
            let (outcome, events) = self.model.apply(&Command::Expire, self.shop.now());
            expected.extend(events);
            if outcome == Outcome::ReleasedByTime(Vec::new()) {
                return Ok(expected);
            }
        }
    }

    /// Events since the last time.
    async fn recorded(&mut self) -> Result<Vec<Event>, String> {
        let entries = self.shop.journal(self.sale.number, self.seq + 1).await?;
        let numbered = entries.iter().flat_map(|entry| entry.record.numbered());
        let new: Vec<_> = numbered.filter(|(seq, _)| *seq > self.seq).collect();
        self.seq = new.last().map_or(self.seq, |(seq, _)| *seq);
        Ok(new.into_iter().map(|(_, event)| event.clone()).collect())
    }

    async fn compare_all(&self) -> Check {
        let (offer, model) = (self.shop.state(self.sale.number).await?.offer, &self.model);
        same("terms", Some(offer.terms), model.terms())?;
        same(
            "stock, held, sold",
            (offer.stock.stock, offer.stock.held, offer.stock.sold),
            (model.stock(), model.held(), model.sold()),
        )?;
        same("frozen", offer.frozen, model.frozen())?;
        same("the last event", offer.seq, model.seq())?;
        for hold in model.holds().filter(|hold| hold.quantity > 0) {
            let found = self.shop.find(hold.order).await?;
            ensure(found.as_ref() == Some(hold), &format!("expected {hold:?}, found {found:?}"))?;
        }
        Ok(())
    }
}
