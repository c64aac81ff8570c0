//! The pages over a stub of the API, for whoever works on their looks: `cargo run -p firstcome-app --example pages`.
//!
//! Log in as anyone (any password but `wrong`); as `seller@example.com` to see the seller's part.

use std::sync::Arc;

use firstcome_app::pages::{PagesOptions, router};
use firstcome_core::ports::SystemClock;

#[expect(dead_code, reason = "the tests use more of the stub")]
#[path = "../src/pages/tests/stub.rs"]
mod stub;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let memory = Arc::new(stub::Memory::default());
    let options = PagesOptions {
        public_url: None,
        checkout_url: "/sandbox/toss/checkout".to_owned(),
        mailbox: true,
        processes: true,
        time_zone: jiff::tz::TimeZone::get("Asia/Seoul").expect("a known zone"),
        clock: Arc::new(SystemClock),
        random: Arc::new(stub::Counting::default()),
    };
    let api = stub::router(&memory);
    let listener = tokio::net::TcpListener::bind(std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:0")).await?;
    #[expect(clippy::print_stdout, reason = "says where to look")]
    {
        println!("http://{}", listener.local_addr()?);
    }
    axum::serve(listener, router(api.clone(), options).merge(api)).await
}
