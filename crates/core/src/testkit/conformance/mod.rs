//! The contract of [`crate::ports::StockLedger`], one test per clause, for every adapter.
//!
//! An adapter implements [`LedgerHarness`] in its tests and writes one line:
//!
//! ```text
//! firstcome_core::ledger_conformance!(#[tokio::test] EmbeddedHarness::create().await);
//! firstcome_core::ledger_conformance!(block_on: MemoryHarness::create());
//! ```
//!
//! The harness is made anew for every clause. A clause says what it found wrong instead of panicking, so that broken
//! ledgers can prove that it would notice.

mod durable;
mod journal;
mod lines;
mod once;
mod seeded;
mod shop;
mod stock;
mod terms;
mod window;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::harness::LedgerHarness;
use super::runtime;
pub use seeded::same_history;
use shop::Shop;

use durable::durable_before_answer;
use journal::{found_after_answer, in_order, journal_agrees_with_itself};
use lines::orders_over_several_offers;
use once::{decided_once, key_reuse, twice_is_once};
use seeded::same_as_the_model;
use stock::{conserved, limit_per_person, never_oversold, returns_exactly_once};
use terms::{free_in_one_step, refusal_precedence};
use window::{expires_by_itself, expiry_never_meets_payment, reclaim, window};

/// Nothing was wrong, or what was.
pub type Check = Result<(), String>;
type Checking<'a> = Pin<Box<dyn Future<Output = Check> + Send + 'a>>;

/// After this long a clause counts as hanging.
const HANGS_AFTER: Duration = Duration::from_mins(5);

/// One clause of the contract.
pub struct Clause {
    /// What it is called, as in the ledger's documentation.
    pub name: &'static str,
    test: for<'a> fn(&'a mut dyn LedgerHarness) -> Checking<'a>,
}

/// Makes one test per clause, for a harness that the expression creates; it may await. Takes the attributes of an
/// asynchronous test, or `block_on:` to run without any runtime.
#[macro_export]
macro_rules! ledger_conformance {
    // The one list of clauses.
    (@list $next:ident $with:tt) => {
        $crate::ledger_conformance! { @$next $with
            never_oversold
            conserved
            decided_once
            in_order
            durable_before_answer
            limit_per_person
            window
            expiry_never_meets_payment
            returns_exactly_once
            refusal_precedence
            key_reuse
            free_in_one_step
            orders_over_several_offers
            reclaim
            twice_is_once
            expires_by_itself
            found_after_answer
            journal_agrees_with_itself
            same_as_the_model
        }
    };
    (@table () $($clause:ident)*) => {
        &[$(Clause { name: stringify!($clause), test: |harness| Box::pin($clause(harness)) }),*]
    };
    (@tests $with:tt $($clause:ident)*) => {
        $($crate::ledger_conformance! { @test $with $clause })*
    };
    (@test ([$(#[$attribute:meta])+] $harness:expr) $clause:ident) => {
        $(#[$attribute])+
        async fn $clause() {
            let mut harness = $harness;
            let found = $crate::testkit::conformance::check(stringify!($clause), &mut harness).await;
            assert_eq!(found, Ok(()), "the clause {} is broken", stringify!($clause));
        }
    };
    (@test ([block_on] $harness:expr) $clause:ident) => {
        #[test]
        fn $clause() {
            let mut harness = $harness;
            let checking = $crate::testkit::conformance::check(stringify!($clause), &mut harness);
            let found = $crate::testkit::runtime::block_on(checking);
            assert_eq!(found, Ok(()), "the clause {} is broken", stringify!($clause));
        }
    };
    (block_on: $harness:expr) => {
        $crate::ledger_conformance! { @list tests ([block_on] $harness) }
    };
    ($(#[$attribute:meta])+ $harness:expr) => {
        $crate::ledger_conformance! { @list tests ([$(#[$attribute])+] $harness) }
    };
}

/// Every clause.
pub const CLAUSES: &[Clause] = ledger_conformance! { @list table () };

impl Clause {
    /// Tests this clause alone.
    pub async fn test(&self, harness: &mut dyn LedgerHarness) -> Check {
        runtime::within(HANGS_AFTER, (self.test)(harness)).await.unwrap_or_else(|| Err("it hangs".to_owned()))
    }
}

/// Tests the clause of this name, and audits the journal that is left.
pub async fn check(name: &str, harness: &mut dyn LedgerHarness) -> Check {
    let clause = CLAUSES.iter().find(|clause| clause.name == name).ok_or("there is no such clause")?;
    clause.test(harness).await?;
    Shop::new(harness).audit().await
}
