//! The saga under test: a ledger, a database and a provider that fail, repeat and stop at every step in turn.

mod day_over;
mod ladder;
mod ledger;
mod provider;
mod quarantine;
mod quarantined_transfers;
mod races;
mod receipts;
mod records;
mod refunding;
mod requests;
mod saga;
mod settlement;
mod shop;
mod transfers;
