//! Worker that brings receipts to what the books say of their payments.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::payment::ReceiptState;
use firstcome_core::ports::{Committed, Personal, PortError, ProviderReceipt, ReceiptAnswer, ReceiptRequest};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};

use super::CashReceipt;
use crate::payments::attempt::pause;
use crate::payments::rows::Payment;
use crate::payments::settle::is_sold_to;
use crate::payments::{Payments, all};
use crate::role::Worker;

/// Receipts that one step takes.
const AT_ONCE: u32 = 256;
/// How often the provider is asked for one thing; with the pauses between, that is for some ten hours.
const TRIES: u32 = 600;
/// The shortest and the longest pause before it is looked again whether a deposit was delivered for.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// The worker.
pub(in crate::payments) fn worker(payments: Arc<Payments>) -> Worker {
    Worker::new("payments.receipts", move |stop| async move {
        while stop.run_until_cancelled(tokio::time::sleep(payments.options.poll_every)).await.is_some() {
            if let Err(error) = payments.receipts_due().await {
                tracing::warn!(%error, "cash receipts cannot be looked after now");
            }
        }
        Ok(())
    })
}

impl Payments {
    /// Goes on with the receipts whose turn it is. Returns how many.
    pub(in crate::payments) async fn receipts_due(&self) -> Result<usize, PortError> {
        let due = Query::all(CashReceipt::TABLE, AT_ONCE)
            .filter("due_at", Comparison::AtMost(self.now().to_value()))
            .order_by("due_at", Direction::Ascending);
        let receipts = self.ports.records.list::<CashReceipt>(due).await?;
        all(receipts.into_iter().map(|receipt| self.go_on_with(receipt)), self.options.calls).await
    }

    async fn go_on_with(&self, receipt: Stored<CashReceipt>) -> Result<(), PortError> {
        let Some(payment) = self.ports.records.load::<Payment>(receipt.record.payment_id).await? else {
            return self.save(receipt, |receipt| receipt.due_at = None).await;
        };
        match receipt.record.state {
            ReceiptState::Pending => self.issue(receipt, &payment.record).await,
            ReceiptState::Issued | ReceiptState::PartialCanceled => self.lower(receipt, &payment.record).await,
            ReceiptState::Canceled | ReceiptState::Failed => self.save(receipt, |receipt| receipt.due_at = None).await,
        }
    }

    /// Issued over all that was paid, once that is delivered for. What went back meanwhile lowers it afterwards.
    async fn issue(&self, receipt: Stored<CashReceipt>, payment: &Payment) -> Result<(), PortError> {
        let (order, asked) = (payment.order_id, receipt.record.tries > 0);
        if !asked && payment.refunded >= payment.amount {
            return self
                .save(receipt, |receipt| (receipt.state, receipt.due_at) = (ReceiptState::Canceled, None))
                .await;
        }
        let hold = self.ports.ledger.find(order).await?;
        if !asked && !hold.is_some_and(|hold| is_sold_to(&hold, payment.payment_id)) {
            // As long as it has waited: mostly it is a moment, and what stays undelivered waits for a person.
            let now = self.now();
            let later = now + now.since(receipt.record.created_at).clamp(SHORTEST, LONGEST);
            return self.save(receipt, |receipt| receipt.due_at = Some(later)).await;
        }
        let Some(number) = self.receipt_number(payment).await? else {
            return self.receipt_failed(receipt, "NUMBER_FORGOTTEN".to_owned()).await;
        };
        let request = ReceiptRequest {
            order,
            amount: receipt.record.money(receipt.record.amount),
            tax_free: payment.tax_free.unwrap_or(0),
            kind: receipt.record.kind,
            number: Personal(number),
        };
        // That it is asked for is written first: from then on it may exist, also for money that goes back in this moment.
        let Some(receipt) = self.note_try(receipt).await? else { return Ok(()) };
        match self.ports.provider.issue_receipt(payment.payment_id, &request).await {
            ReceiptAnswer::Receipt(ProviderReceipt { failure: Some(code), .. }) => {
                self.receipt_failed(receipt, code).await
            }
            ReceiptAnswer::Receipt(issued) => self.issued(receipt, issued).await,
            ReceiptAnswer::Refused { code, .. } => self.receipt_failed(receipt, code).await,
            ReceiptAnswer::Unknown { reason } if receipt.record.tries >= TRIES => {
                self.receipt_failed(receipt, reason).await
            }
            ReceiptAnswer::Unknown { .. } => Ok(()),
        }
    }

    async fn issued(&self, receipt: Stored<CashReceipt>, issued: ProviderReceipt) -> Result<(), PortError> {
        self.metrics.receipts_issued.inc();
        let now = self.now();
        self.save(receipt, |receipt| {
            receipt.state = ReceiptState::Issued;
            receipt.receipt_key = Some(issued.receipt_key);
            receipt.issue_number = Some(issued.issue_number);
            // Looked at once more: something may have gone back meanwhile.
            (receipt.code, receipt.tries, receipt.due_at) = (None, 0, Some(now));
        })
        .await
    }

    /// Lowered to what is left of the payment.
    async fn lower(&self, mut receipt: Stored<CashReceipt>, payment: &Payment) -> Result<(), PortError> {
        let CashReceipt { amount, lowered, lowering, .. } = receipt.record;
        let left = payment.amount - payment.refunded;
        let Some(by) = lowering.or(Some(amount - lowered - left).filter(|by| *by > 0)) else {
            return self.save(receipt, |receipt| (receipt.tries, receipt.due_at) = (0, None)).await;
        };
        let Some(receipt_key) = receipt.record.receipt_key.clone() else {
            return self.save(receipt, |receipt| receipt.due_at = None).await;
        };
        receipt.record.lowering = Some(by);
        // By how much is written before it is asked for: under one key it is one amount.
        let Some(receipt) = self.note_try(receipt).await? else { return Ok(()) };
        let money = receipt.record.money(by);
        match self.ports.provider.lower_receipt(payment.payment_id, &receipt_key, money, lowered).await {
            ReceiptAnswer::Receipt(_) => {
                let (now, all) = (self.now(), lowered + by >= amount);
                self.save(receipt, |receipt| {
                    receipt.state = if all { ReceiptState::Canceled } else { ReceiptState::PartialCanceled };
                    (receipt.lowered, receipt.lowering) = (lowered + by, None);
                    (receipt.code, receipt.tries, receipt.due_at) = (None, 0, Some(now));
                })
                .await
            }
            ReceiptAnswer::Refused { code, .. } => self.not_lowered(receipt, code).await,
            ReceiptAnswer::Unknown { reason } if receipt.record.tries >= TRIES => {
                self.not_lowered(receipt, reason).await
            }
            ReceiptAnswer::Unknown { .. } => Ok(()),
        }
    }

    async fn receipt_failed(&self, receipt: Stored<CashReceipt>, code: String) -> Result<(), PortError> {
        self.metrics.receipts_failed.inc();
        tracing::error!(order = %receipt.record.order_id, code, "no cash receipt: a person must issue it");
        self.save(receipt, |receipt| {
            receipt.state = ReceiptState::Failed;
            (receipt.code, receipt.due_at) = (Some(code), None);
        })
        .await
    }

    async fn not_lowered(&self, receipt: Stored<CashReceipt>, code: String) -> Result<(), PortError> {
        self.metrics.receipts_failed.inc();
        tracing::error!(order = %receipt.record.order_id, code, "a cash receipt stays too high: a person must lower it");
        self.save(receipt, |receipt| (receipt.code, receipt.due_at) = (Some(code), None)).await
    }

    /// Counts a call that is about to be made, with the moment of the next one. None when another process was faster.
    async fn note_try(&self, mut receipt: Stored<CashReceipt>) -> Result<Option<Stored<CashReceipt>>, PortError> {
        let now = self.now();
        receipt.record.tries = receipt.record.tries.saturating_add(1);
        receipt.record.due_at = Some(now + pause(receipt.record.tries));
        receipt.record.updated_at = now;
        let done = self.ports.records.commit(Unit::new().update(&receipt)).await?;
        receipt.version += 1;
        Ok((done == Committed::Done).then_some(receipt))
    }

    /// Writes the next state of a receipt. When another process was faster, or events came meanwhile, it is looked at again.
    async fn save(
        &self,
        mut receipt: Stored<CashReceipt>,
        change: impl FnOnce(&mut CashReceipt) + Send,
    ) -> Result<(), PortError> {
        change(&mut receipt.record);
        receipt.record.updated_at = self.now();
        self.ports.records.commit(Unit::new().update(&receipt)).await.map(drop)
    }
}
