//! The program: configuration, command line, and the one place where ports get their adapters.

pub mod accept;
pub mod audit;
pub mod cli;
pub mod commands;
pub mod config;
pub mod folder;
pub mod front;
pub mod lifecycle;
pub mod metrics;
pub mod operate;
pub mod place;
pub mod storm;
pub mod telemetry;
pub mod wire;
