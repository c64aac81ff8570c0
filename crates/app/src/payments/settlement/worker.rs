//! Plans the nights, and takes up what is due.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::SettlementId;
use firstcome_core::ports::{Committed, PortError};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};
use jiff::civil::Date;

use super::check::{Came, Check, LEASE};
use super::rows::{Finding, RunState, Settlement};
use crate::payments::Payments;
use crate::payments::attempt::pause;
use crate::role::Worker;

/// Between two looks at what is due.
const EVERY: Duration = Duration::from_secs(1);
/// How long runs and what they found are kept.
const KEPT: Duration = Duration::from_hours(400 * 24);
/// Rows that one commit removes.
const BATCH: u32 = 256;

/// The worker.
pub(in crate::payments) fn worker(payments: Arc<Payments>) -> Worker {
    Worker::new("payments.settlement", move |stop| async move {
        let mut planned = None;
        loop {
            let step = stop.run_until_cancelled(payments.settle_days(&mut planned)).await;
            match step {
                None => return Ok(()),
                Some(Ok(true)) => continue,
                Some(Ok(false)) => {}
                Some(Err(error)) => tracing::warn!(%error, "the settlement cannot be looked after now"),
            }
            if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
                return Ok(());
            }
        }
    })
}

impl Payments {
    /// Plans what is due and checks one day. `planned` is the last night that this process has looked at. Whether there
    /// was a day to check.
    pub(in crate::payments) async fn settle_days(&self, planned: &mut Option<Date>) -> Result<bool, PortError> {
        let last = self.options.settlement.last_due(self.now());
        if last != *planned {
            self.plan_nights().await?;
            self.forget_old_runs().await?;
            *planned = last;
        }
        match self.take_up().await? {
            Some(run) => self.check_day(run).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Writes down the nights that are due. Another process may have, in the same moment.
    async fn plan_nights(&self) -> Result<(), PortError> {
        let last = Query::all(Settlement::TABLE, 1).is("nightly", true).order_by("day", Direction::Descending);
        let last = self.ports.records.list::<Settlement>(last).await?.pop();
        let last = last.and_then(|run| run.record.day.parse().ok());
        for day in self.options.settlement.due(last, self.now()) {
            self.ports.records.commit(Unit::new().insert(&Settlement::of_night(day, self.now()))).await?;
        }
        Ok(())
    }

    /// Takes up the run that has been due for longest, if there is one: for as long as a lease, which the check renews.
    async fn take_up(&self) -> Result<Option<Stored<Settlement>>, PortError> {
        let now = self.now();
        let due = Query::all(Settlement::TABLE, 1)
            .filter("due_at", Comparison::AtMost(now.to_value()))
            .order_by("due_at", Direction::Ascending);
        let Some(mut run) = self.ports.records.list::<Settlement>(due).await?.pop() else { return Ok(None) };
        run.record.state = RunState::Running;
        run.record.due_at = Some(now + LEASE);
        run.record.tries = run.record.tries.saturating_add(1);
        if self.ports.records.commit(Unit::new().update(&run)).await? != Committed::Done {
            return Ok(None);
        }
        run.version += 1;
        Ok(Some(run))
    }

    async fn check_day(&self, run: Stored<Settlement>) -> Result<(), PortError> {
        let id = run.record.id;
        let period = run.record.day.parse().ok().and_then(|day| self.options.settlement.period(day));
        let period =
            period.ok_or_else(|| PortError::Corrupt(format!("{} is a settlement of no day", run.record.id)))?;
        match Check::new(self, run, period).run().await {
            Ok(Came::Elsewhere) => Ok(()),
            Ok(Came::Done(run)) => {
                self.settled_day(&run);
                Ok(())
            }
            Err(error) => {
                tracing::warn!(settlement = %id, %error, "a settlement is tried again");
                self.postpone_run(id, &error).await
            }
        }
    }

    /// A try broke off: another comes later, here or elsewhere.
    async fn postpone_run(&self, id: SettlementId, error: &PortError) -> Result<(), PortError> {
        let Some(mut run) = self.ports.records.load::<Settlement>(id).await? else { return Ok(()) };
        if run.record.state != RunState::Running {
            return Ok(());
        }
        run.record.state = RunState::Waiting;
        run.record.message = Some(error.to_string());
        run.record.due_at = Some(self.now() + pause(run.record.tries));
        self.ports.records.commit(Unit::new().update(&run)).await.map(|_| ())
    }

    fn settled_day(&self, run: &Settlement) {
        let Settlement { id, day, matched, in_flight, .. } = run;
        self.metrics.settlements_done.inc();
        self.metrics.settlement_findings.inc_by(run.findings());
        if run.findings() == 0 {
            tracing::info!(settlement = %id, day, matched, in_flight, "the provider's day and ours agree");
        } else {
            let findings = run.findings();
            tracing::error!(settlement = %id, day, findings, "the provider's day and ours do not agree: a person must look");
        }
    }

    async fn forget_old_runs(&self) -> Result<(), PortError> {
        let old = Query::all(Settlement::TABLE, BATCH)
            .filter("created_at", Comparison::Less((self.now() - KEPT).to_value()))
            .order_by("created_at", Direction::Ascending);
        for run in self.ports.records.list::<Settlement>(old).await? {
            loop {
                let found = Query::all(Finding::TABLE, BATCH).is("run", run.record.id);
                let found = self.ports.records.list::<Finding>(found).await?;
                if found.is_empty() {
                    break;
                }
                let unit = found.iter().fold(Unit::new(), |unit, row| unit.delete(&row.record));
                self.ports.records.commit(unit).await?;
            }
            self.ports.records.commit(Unit::new().delete(&run.record)).await?;
        }
        Ok(())
    }
}
