//! The shop as a cluster: real servers, every role a process, a sale that goes on while something breaks. Whatever breaks,
//! at the end testing's point 7 holds: what was answered is there, nothing is sold twice, every charge is matched.

mod actions;
mod basket;
mod breakdowns;
mod gateway;
mod letters;
mod links;
mod moving;
mod privacy;
mod refusals;
mod rolling;
mod shapes;
mod silence;
mod staff;
mod twins;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use firstcome_tests::{Api, Cluster, Random, SOON, Storefront as _, until};
use tokio::task::JoinSet;

use crate::sale::Sale;

/// Logs out everywhere whoever has this token, waits until every path at every door refuses it, and prints how long that
/// took.
#[expect(clippy::print_stderr, reason = "the time until the log-out was effective")]
async fn log_out(leaver: &Api, doors: &[Api], when: &str) {
    assert_eq!(leaver.log_out_everywhere().await.expect("an answer").status, 204, "while {when}");
    let since = std::time::Instant::now();
    let token = leaver.token().expect("a token");
    for door in doors.iter().map(|door| door.with_token(token)) {
        for path in ["/me", "/orders", "/me/vouchers"] {
            until(format!("{path} refuses who logged out while {when}"), SOON, async || {
                let answer = door.get(path).send().await.expect("an answer");
                if answer.status == 401 { Ok(answer.problem(401, "unauthenticated")) } else { Err(answer) }
            })
            .await;
        }
    }
    eprintln!("a log-out while {when} was effective within {:?}", since.elapsed());
}

/// A sale in a cluster, with people in it.
struct Running {
    cluster: Cluster,
    sale: Arc<Sale>,
    visitors: JoinSet<()>,
    random: Random,
    seed: u64,
    name: &'static str,
}

impl Running {
    /// Starts a cluster and lets people in.
    async fn start(name: &'static str) -> Self {
        Self::start_with(name, &[]).await
    }

    /// The same with a cluster of another shape.
    #[expect(clippy::print_stderr, reason = "the seed of the run")]
    async fn start_with(name: &'static str, environment: &[(&str, &str)]) -> Self {
        let seed = Random::seed("FIRSTCOME_SEED");
        eprintln!("{name}: FIRSTCOME_SEED={seed}");
        let mut random = Random::new(seed);
        let cluster = tokio::task::block_in_place(|| Cluster::up_with(environment));
        let sale = Sale::prepare(&cluster).await;
        sale.expect_many_processes();
        let visitors = sale.open(&mut random);
        Self { cluster, sale, visitors, random, seed, name }
    }

    /// Runs `scripts/cluster`.
    fn control(&self, arguments: &[&str]) -> String {
        tokio::task::block_in_place(|| self.cluster.control(arguments))
    }

    /// Lets the sale go on for a while.
    async fn go_on(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Waits until an order is placed again, and prints how long that took.
    #[expect(clippy::print_stderr, reason = "the time to recover")]
    async fn recover(&self, from: &str) {
        let (before, since) = (self.sale.granted(), std::time::Instant::now());
        until(format!("an order after {from}"), SOON, async || self.sale.granted() > before).await;
        eprintln!("{}: the first order after {from} was placed within {:?}", self.name, since.elapsed());
    }

    /// Waits until a process decides in the ledger, and prints how long that took.
    #[expect(clippy::print_stderr, reason = "the time to recover")]
    async fn decides(&self, name: &str, from: &str) {
        let since = std::time::Instant::now();
        self.until_stuck(name, false).await;
        eprintln!("{}: {name} decided within {:?} after {from}", self.name, since.elapsed());
    }

    /// Waits until a process says that it can decide nothing in the ledger, or that it can.
    async fn until_stuck(&self, name: &str, stuck: bool) {
        let api = Api::new(&format!("http://127.0.0.1:{}", self.cluster.port(name)));
        let wanted = format!("firstcome_ledger_stuck {}", u8::from(stuck));
        until(format!("{name} says `{wanted}`"), SOON, async || {
            let answer = api.call(hyper::Method::GET, "/metrics").send().await.expect("an answer");
            String::from_utf8_lossy(&answer.bytes).lines().any(|line| line == wanted)
        })
        .await;
    }

    /// Closes the sale and compares everything.
    #[expect(clippy::print_stderr, reason = "the figures of the run")]
    async fn end(self, rounds: u64) {
        let Self { cluster, sale, visitors, seed, name, .. } = self;
        sale.refresh_staff().await;
        sale.shut(visitors).await;
        let findings = sale.settle(&cluster).await;
        eprintln!("{name}: {}", sale.summary());
        assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
        sale.assert_busy(rounds);
        let audited = tokio::task::block_in_place(|| cluster.audit());
        audited.ok();
    }
}
