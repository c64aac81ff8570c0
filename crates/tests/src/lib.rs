//! What tests of the whole program are written with. It knows Firstcome as its users do: a program to start, an HTTP API,
//! a command line. Nothing here looks inside.
//!
//! ```text
//! let shop = Shop::start().await;
//! let seller = shop.seller().await;
//! let offer = seller.sell(&gift_card(50_000), &json!({"stock": 10})).await;
//! let buyer = shop.buyers(1).remove(0);
//! let order = buyer.order("key-1", &offer, 1).await.expect("an answer").want(201);
//! ```
#![expect(clippy::missing_panics_doc, reason = "in support for tests every failure is a panic with its reason")]

mod api;
mod cluster;
mod mail_server;
mod program;
mod proxy;
mod random;
mod shop;
mod storefront;
mod totp;
mod until;

pub use api::{Answer, Api, Call, EventStream, NoAnswer, gift_card, ticket};
pub use cluster::Cluster;
pub use mail_server::{Encryption, MailServer, Received};
pub use program::{Finished, program, run, run_with};
pub use proxy::{Link, Proxy};
pub use random::Random;
pub use shop::{Shop, ShopOptions, free_address};
pub use storefront::{PASSWORD, Storefront};
pub use totp::{totp, totp_later};
pub use until::{Look, SOON, until};
