//! Having the provider open an account, and learning what it calls it.

use firstcome_core::ids::OrderId;
use firstcome_core::payment::PaymentState;
use firstcome_core::ports::{AccountRequest, Personal, PortError, ProviderAnswer, ProviderPayment, ProviderStatus};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::VirtualAccount;
use super::wait::next_look;
use crate::payments::Payments;
use crate::payments::rows::{Payment, payments_of};

impl Payments {
    /// Asks the provider for the account of an attempt. However often that is done, it is under one key and says the same,
    /// so one account is opened; once the order's time is over, the provider refuses to open one that it did not open before.
    pub(super) async fn open_account(&self, attempt: Stored<Payment>) -> Result<Stored<Payment>, PortError> {
        let account = self.account(&attempt.record).await?;
        let Some(details) = self.details(&account.record) else {
            return self.wait_on(attempt, &account.record, "its details cannot be read".to_owned()).await;
        };
        let request = AccountRequest {
            order: attempt.record.order_id,
            amount: attempt.record.money(),
            tax_free: attempt.record.tax_free.unwrap_or(0),
            bank: account.record.bank.clone(),
            depositor: Personal(details.depositor),
            due_at: account.record.due_at,
        };
        match self.ports.provider.open_account(attempt.record.payment_id, &request).await {
            ProviderAnswer::Payment(said) if attempt.record.is_paid_into(&said) => {
                self.name(attempt, account, &said).await
            }
            ProviderAnswer::Payment(_) => {
                self.wait_on(attempt, &account.record, "the provider's account is not what was asked for".to_owned())
                    .await
            }
            ProviderAnswer::Refused { code, message } => {
                self.metrics.failed.inc();
                self.give_up_account(attempt, code, message, None).await
            }
            ProviderAnswer::Unknown { reason } => self.wait_on(attempt, &account.record, reason).await,
        }
    }

    /// The account of an attempt, which was written in one commit with it.
    pub(super) async fn account(&self, attempt: &Payment) -> Result<Stored<VirtualAccount>, PortError> {
        let account = self.ports.records.load::<VirtualAccount>(attempt.payment_id).await?;
        account.ok_or_else(|| PortError::Unavailable("the account of an attempt is not there".to_owned()))
    }

    /// Writes down what the provider calls an attempt, and the number that the buyer is to pay into.
    async fn name(
        &self,
        attempt: Stored<Payment>,
        account: Stored<VirtualAccount>,
        said: &ProviderPayment,
    ) -> Result<Stored<Payment>, PortError> {
        let now = self.now();
        let waits = said.status == ProviderStatus::WaitingForDeposit;
        let named = Payment {
            payment_key: said.payment_key.clone(),
            message: None,
            tries: 0,
            due_at: Some(if waits { next_look(now, 0, account.record.due_at) } else { now }),
            updated_at: now,
            ..attempt.record.clone()
        };
        let opened = self.opened(account, said);
        let unit = |unit: Unit| opened.iter().fold(unit, Unit::update);
        self.replace(&attempt, named, unit).await.map(|(stored, _)| stored)
    }

    fn opened(&self, account: Stored<VirtualAccount>, said: &ProviderPayment) -> Option<Stored<VirtualAccount>> {
        let (mut details, opened) = (self.details(&account.record)?, said.account.as_ref()?);
        details.account_number = Some(opened.number.clone());
        let record = VirtualAccount { bank: opened.bank.clone(), ..account.record };
        Some(Stored { record: record.with(&details, &self.ports.keys.sealer()), version: account.version })
    }

    /// The attempt of an order that a provider's payment belongs to whose name nobody has told us yet; it has its name now.
    pub(in crate::payments) async fn named_by(
        &self,
        order: OrderId,
        said: &ProviderPayment,
    ) -> Result<Option<Stored<Payment>>, PortError> {
        if said.account.is_none() {
            return Ok(None);
        }
        let mut attempts = payments_of(&*self.ports.records, order).await?;
        attempts.retain(|attempt| {
            let attempt = &attempt.record;
            attempt.is_transfer() && attempt.is_unnamed() && attempt.state.is_undecided()
        });
        let Some(attempt) = attempts.pop().filter(|attempt| attempt.record.is_paid_into(said)) else { return Ok(None) };
        let account = self.account(&attempt.record).await?;
        let named = self.name(attempt, account, said).await?;
        if named.record.payment_key == said.payment_key {
            return Ok(Some(named));
        }
        Err(PortError::Unavailable("an attempt changed while it was named".to_owned()))
    }

    /// Writes down that nothing comes of an account; another may be asked for from now on. `again` is when it is looked at
    /// once more.
    pub(in crate::payments) async fn give_up_account(
        &self,
        attempt: Stored<Payment>,
        code: String,
        message: String,
        again: Option<Time>,
    ) -> Result<Stored<Payment>, PortError> {
        let account = self.account(&attempt.record).await?;
        let freed = Stored { record: VirtualAccount { live: None, ..account.record }, version: account.version };
        let failed = Payment {
            state: PaymentState::Fail,
            code: Some(code),
            message: Some(message),
            tries: 0,
            due_at: again,
            updated_at: self.now(),
            ..attempt.record.clone()
        };
        self.replace(&attempt, failed, |unit| unit.update(&freed)).await.map(|(stored, _)| stored)
    }
}

impl Payment {
    /// Whether a payment of the provider is an account for this order, amount and currency.
    pub(in crate::payments) fn is_paid_into(&self, said: &ProviderPayment) -> bool {
        said.account.is_some() && said.total == self.money() && said.order_id.parse() == Ok(self.order_id)
    }
}
