//! A provider in memory: payments, charges and cancels, idempotent by key as the real one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::money::Money;
use firstcome_core::ports::{
    AccountRequest, Clock as _, Movement, PaymentProvider, PortError, ProviderAccount, ProviderAnswer, ProviderCancel,
    ProviderPayment, ProviderReceipt, ProviderStatus, ProviderTransaction, ProviderTransactions, ReceiptAnswer,
    ReceiptRequest, RefundAccount,
};
use firstcome_core::testkit::TestClock;
use firstcome_core::time::Time;
use parking_lot::Mutex;

use crate::harm::Steps;

#[derive(Default)]
struct Books {
    payments: BTreeMap<String, ProviderPayment>,
    refused: HashMap<String, String>,
    silent: bool,
    accounts_refused: Option<String>,
    sent_to: Vec<RefundAccount>,
    told_tax_free: Vec<i64>,
    receipts_tax_free: BTreeMap<String, i64>,
    /// By the attempt: what each was issued over, and by what it was lowered under which key.
    receipts: BTreeMap<String, (i64, BTreeMap<i64, i64>)>,
    moved: Vec<ProviderTransaction>,
}

/// Movements on a page: few, so that there are pages.
const PAGE: usize = 2;

pub(super) struct TestProvider {
    books: Mutex<Books>,
    steps: Arc<Steps>,
    clock: TestClock,
}

fn refused(code: &str) -> ProviderAnswer {
    ProviderAnswer::Refused { code: code.to_owned(), message: "no".to_owned() }
}

fn silence() -> ProviderAnswer {
    ProviderAnswer::Unknown { reason: "harmed".to_owned() }
}

impl TestProvider {
    pub(super) fn new(clock: TestClock, steps: Arc<Steps>) -> Self {
        Self { books: Mutex::default(), steps, clock }
    }

    /// Changes the list of what moved.
    pub(super) fn moved(&self, change: impl FnOnce(&mut Vec<ProviderTransaction>)) {
        change(&mut self.books.lock().moved);
    }

    /// Forgets a payment, as if it had never been there.
    pub(super) fn forget(&self, key: &str) {
        let mut books = self.books.lock();
        books.payments.remove(key);
        books.moved.retain(|moved| moved.payment_key != key);
    }

    /// A buyer pays in the widget.
    pub(super) fn pay(&self, key: &str, order: &str, total: Money) {
        let payment = ProviderPayment {
            payment_key: key.to_owned(),
            order_id: order.to_owned(),
            status: ProviderStatus::InProgress,
            total,
            balance: total,
            tax_free: 0,
            cancels: Vec::new(),
            account: None,
        };
        self.books.lock().payments.insert(key.to_owned(), payment);
    }

    /// So many minor units of a payment count as free of VAT.
    pub(super) fn count_as_tax_free(&self, key: &str, amount: i64) {
        if let Some(payment) = self.books.lock().payments.get_mut(key) {
            payment.tax_free = amount;
        }
    }

    /// What was told as free of VAT of each refund.
    pub(super) fn told_tax_free(&self) -> Vec<i64> {
        self.books.lock().told_tax_free.clone()
    }

    /// What was told as free of VAT of each receipt.
    pub(super) fn receipts_tax_free(&self) -> Vec<i64> {
        self.books.lock().receipts_tax_free.values().copied().collect()
    }

    /// Somebody pays into an account.
    pub(super) fn deposit(&self, key: &str) {
        self.set(key, ProviderStatus::Done);
    }

    /// The time of an account is over.
    pub(super) fn expire(&self, key: &str) {
        let mut books = self.books.lock();
        if let Some(payment) = books.payments.get_mut(key).filter(|payment| is_open(payment)) {
            payment.status = ProviderStatus::Expired;
        }
    }

    /// Refuses to open accounts, with this code.
    pub(super) fn refuse_accounts(&self, code: Option<&str>) {
        self.books.lock().accounts_refused = code.map(str::to_owned);
    }

    /// The keys of the accounts that were opened.
    pub(super) fn accounts(&self) -> Vec<String> {
        let books = self.books.lock();
        let accounts = books.payments.values().filter(|payment| payment.account.is_some());
        accounts.map(|payment| payment.payment_key.clone()).collect()
    }

    /// Minor units that were deposited and are with the shop.
    pub(super) fn deposits(&self) -> i64 {
        let books = self.books.lock();
        let accounts = books.payments.values().filter(|payment| payment.account.is_some());
        accounts.filter(|payment| payment.status.is_charged()).map(|payment| payment.balance.amount).sum()
    }

    /// Where money went back to, each as bank, number and holder.
    pub(super) fn sent_to(&self) -> Vec<RefundAccount> {
        self.books.lock().sent_to.clone()
    }

    /// The receipts: what each was issued over, and what is left of it.
    pub(super) fn receipts(&self) -> Vec<(i64, i64)> {
        let books = self.books.lock();
        books.receipts.values().map(|(amount, lowered)| (*amount, amount - lowered.values().sum::<i64>())).collect()
    }

    /// Declines this payment's confirmation.
    pub(super) fn decline(&self, key: &str, code: &str) {
        self.books.lock().refused.insert(key.to_owned(), code.to_owned());
    }

    /// Answers nothing from now on, or answers again.
    pub(super) fn silent(&self, silent: bool) {
        self.books.lock().silent = silent;
    }

    pub(super) fn set(&self, key: &str, status: ProviderStatus) {
        if let Some(payment) = self.books.lock().payments.get_mut(key) {
            payment.status = status;
        }
    }

    pub(super) fn payment(&self, key: &str) -> ProviderPayment {
        self.books.lock().payments[key].clone()
    }

    /// Minor units of an order that are with the shop.
    pub(super) fn kept(&self, order: OrderId) -> i64 {
        let books = self.books.lock();
        let of_order = books.payments.values().filter(|payment| payment.order_id == order.to_string());
        of_order.filter(|payment| payment.status.is_charged()).map(|payment| payment.balance.amount).sum()
    }

    /// Cancels in the console.
    pub(super) fn cancel_in_console(&self, key: &str, amount: i64) {
        let before = self.payment(key).cancels.len();
        self.cancel_now(key, (amount, 0), None, &format!("console {before} {amount}"));
    }

    /// Cancels in the console what is free of VAT.
    pub(super) fn cancel_free_in_console(&self, key: &str, amount: i64) {
        self.cancel_now(key, (amount, amount), None, "console, free");
    }

    fn cancel_now(
        &self,
        key: &str,
        (amount, tax_free): (i64, i64),
        refund: Option<RefundId>,
        transaction: &str,
    ) -> ProviderAnswer {
        let mut books = self.books.lock();
        let Some(payment) = books.payments.get_mut(key) else { return refused("NOT_FOUND_PAYMENT") };
        if refund.is_some() && payment.cancels.iter().any(|cancel| cancel.refund == refund) {
            return ProviderAnswer::Payment(payment.clone());
        }
        if payment.status == ProviderStatus::Canceled {
            return refused("ALREADY_CANCELED_PAYMENT");
        }
        if !payment.status.is_charged() || amount > payment.balance.amount {
            return refused("NOT_CANCELABLE_AMOUNT");
        }
        payment.balance.amount -= amount;
        payment.cancels.push(ProviderCancel { transaction: transaction.to_owned(), amount, tax_free, refund });
        payment.status =
            if payment.balance.amount == 0 { ProviderStatus::Canceled } else { ProviderStatus::PartialCanceled };
        let (said, amount) = (payment.clone(), Money::new(amount, payment.total.currency));
        books.moved.push(movement(&said, Movement::Cancel, transaction, amount, self.clock.now()));
        ProviderAnswer::Payment(said)
    }

    fn confirm_now(&self, key: &str, order: OrderId, amount: Money) -> ProviderAnswer {
        let mut books = self.books.lock();
        let declined = books.refused.get(key).cloned();
        let Some(payment) = books.payments.get_mut(key) else { return refused("NOT_FOUND_PAYMENT") };
        if payment.order_id != order.to_string() || payment.total != amount {
            return refused("INVALID_REQUEST");
        }
        match (payment.status, declined) {
            (ProviderStatus::InProgress, Some(code)) => {
                payment.status = ProviderStatus::Aborted;
                refused(&code)
            }
            (ProviderStatus::InProgress, None) => {
                payment.status = ProviderStatus::Done;
                let said = payment.clone();
                let charge = movement(&said, Movement::Charge, &format!("charge {key}"), amount, self.clock.now());
                books.moved.push(charge);
                ProviderAnswer::Payment(said)
            }
            // What the client makes of ALREADY_PROCESSED_PAYMENT.
            _ => ProviderAnswer::Payment(payment.clone()),
        }
    }

    fn found(&self, found: impl Fn(&ProviderPayment) -> bool) -> ProviderAnswer {
        let books = self.books.lock();
        let payment = books.payments.values().rfind(|payment| found(payment));
        payment.map_or_else(|| refused("NOT_FOUND_PAYMENT"), |payment| ProviderAnswer::Payment(payment.clone()))
    }

    fn or_silence(&self, answer: impl FnOnce() -> ProviderAnswer) -> ProviderAnswer {
        if self.books.lock().silent { silence() } else { answer() }
    }
}

fn movement(
    payment: &ProviderPayment,
    movement: Movement,
    transaction: &str,
    amount: Money,
    at: Time,
) -> ProviderTransaction {
    let (payment_key, order_id) = (payment.payment_key.clone(), payment.order_id.clone());
    ProviderTransaction { transaction: transaction.to_owned(), payment_key, order_id, movement, amount, at }
}

#[async_trait]
impl PaymentProvider for TestProvider {
    async fn lookup(&self, payment_key: &str) -> ProviderAnswer {
        let work = async || self.or_silence(|| self.found(|payment| payment.payment_key == payment_key));
        self.steps.pass("lookup", work, silence).await
    }
    async fn lookup_order(&self, order: OrderId) -> ProviderAnswer {
        let work = async || self.or_silence(|| self.found(|payment| payment.order_id == order.to_string()));
        self.steps.pass("lookup_order", work, silence).await
    }
    async fn confirm(&self, _: PaymentId, payment_key: &str, order: OrderId, amount: Money) -> ProviderAnswer {
        let work = async || self.or_silence(|| self.confirm_now(payment_key, order, amount));
        self.steps.pass("confirm", work, silence).await
    }
    async fn cancel(
        &self,
        refund: RefundId,
        payment_key: &str,
        amount: Money,
        tax_free: i64,
        _: &str,
        to: Option<&RefundAccount>,
    ) -> ProviderAnswer {
        let transaction = refund.to_string();
        let work = async || {
            self.or_silence(|| {
                if self.payment(payment_key).account.is_some() {
                    let Some(to) = to else { return refused("INVALID_REFUND_ACCOUNT_INFO") };
                    self.books.lock().sent_to.push(to.clone());
                }
                self.books.lock().told_tax_free.push(tax_free);
                self.cancel_now(payment_key, (amount.amount, tax_free), Some(refund), &transaction)
            })
        };
        self.steps.pass("cancel", work, silence).await
    }
    async fn open_account(&self, attempt: PaymentId, account: &AccountRequest) -> ProviderAnswer {
        let work = async || self.or_silence(|| self.open_now(attempt, account));
        self.steps.pass("open_account", work, silence).await
    }
    async fn close_account(&self, _: PaymentId, payment_key: &str) -> ProviderAnswer {
        let work = async || self.or_silence(|| self.close_now(payment_key));
        self.steps.pass("close_account", work, silence).await
    }
    async fn issue_receipt(&self, attempt: PaymentId, receipt: &ReceiptRequest) -> ReceiptAnswer {
        let work = async || {
            let mut books = self.books.lock();
            let issued = books.receipts.entry(attempt.to_string()).or_insert((receipt.amount.amount, BTreeMap::new()));
            assert_eq!(issued.0, receipt.amount.amount, "under one key it is one amount");
            books.receipts_tax_free.insert(attempt.to_string(), receipt.tax_free);
            receipt_of(attempt)
        };
        self.steps.pass("issue_receipt", work, no_receipt).await
    }
    async fn lower_receipt(&self, attempt: PaymentId, _: &str, amount: Money, before: i64) -> ReceiptAnswer {
        let work = async || {
            let mut books = self.books.lock();
            let (_, lowered) = books.receipts.get_mut(&attempt.to_string()).expect("it was issued");
            let by = *lowered.entry(before).or_insert(amount.amount);
            assert_eq!(by, amount.amount, "under one key it is one amount");
            receipt_of(attempt)
        };
        self.steps.pass("lower_receipt", work, no_receipt).await
    }

    async fn transactions(
        &self,
        from: Time,
        until: Time,
        after: Option<&str>,
    ) -> Result<ProviderTransactions, PortError> {
        let work = async || {
            let books = self.books.lock();
            if books.silent {
                return Err(PortError::Unavailable("harmed".to_owned()));
            }
            let begin: usize = after.map_or(0, |after| after.parse().expect("a place"));
            let of_time = books.moved.iter().filter(|moved| (from..until).contains(&moved.at));
            let mut items: Vec<_> = of_time.skip(begin).take(PAGE + 1).cloned().collect();
            let next = (items.len() > PAGE).then(|| (begin + PAGE).to_string());
            items.truncate(PAGE);
            Ok(ProviderTransactions { items, next })
        };
        self.steps.pass("transactions", work, || Err(PortError::Unavailable("harmed".to_owned()))).await
    }
}

fn receipt_of(attempt: PaymentId) -> ReceiptAnswer {
    let receipt_key = format!("receipt-{attempt}");
    ReceiptAnswer::Receipt(ProviderReceipt { receipt_key, issue_number: "162736411".to_owned(), failure: None })
}

fn no_receipt() -> ReceiptAnswer {
    ReceiptAnswer::Unknown { reason: "harmed".to_owned() }
}

fn is_open(payment: &ProviderPayment) -> bool {
    payment.status == ProviderStatus::WaitingForDeposit
}

impl TestProvider {
    fn open_now(&self, attempt: PaymentId, request: &AccountRequest) -> ProviderAnswer {
        let mut books = self.books.lock();
        let key = format!("account-{attempt}");
        if let Some(known) = books.payments.get(&key) {
            return ProviderAnswer::Payment(ProviderPayment {
                status: ProviderStatus::WaitingForDeposit,
                ..known.clone()
            });
        }
        if let Some(code) = &books.accounts_refused {
            return refused(code);
        }
        let account = ProviderAccount { bank: request.bank.clone(), number: "56211".to_owned(), expired: false };
        let payment = ProviderPayment {
            payment_key: key.clone(),
            order_id: request.order.to_string(),
            status: ProviderStatus::WaitingForDeposit,
            total: request.amount,
            balance: request.amount,
            tax_free: request.tax_free,
            cancels: Vec::new(),
            account: Some(account),
        };
        books.payments.insert(key, payment.clone());
        ProviderAnswer::Payment(payment)
    }

    fn close_now(&self, key: &str) -> ProviderAnswer {
        let mut books = self.books.lock();
        let Some(payment) = books.payments.get_mut(key) else { return refused("NOT_FOUND_PAYMENT") };
        if !matches!(payment.status, ProviderStatus::WaitingForDeposit | ProviderStatus::Canceled) {
            return refused("INVALID_REFUND_ACCOUNT_INFO");
        }
        payment.status = ProviderStatus::Canceled;
        payment.balance.amount = 0;
        ProviderAnswer::Payment(payment.clone())
    }
}
