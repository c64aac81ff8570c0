//! Log-outs while those who tell gateways of them are silent: frozen, so that connections stay and nobody answers.

use std::time::Duration;

use firstcome_tests::{Answer, Api, Cluster, SOON, Storefront as _, ticket, until};
use serde_json::{Value, json};

use super::log_out;

/// Longer than anyone goes by what was heard before a silence.
const A_WHILE: Duration = Duration::from_millis(2_500);

struct Silence {
    cluster: Cluster,
    offer: String,
    seller: Api,
    staying: Api,
    /// Who will log out, one after the other.
    leaving: Vec<Api>,
    left: Vec<Api>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_outs_are_effective_whoever_is_silent() {
    let mut shop = Silence::begin().await;
    shop.logs_out("nobody is silent").await;

    shop.silent(&["redis"]).await;
    shop.orders("Redis is silent").await;
    shop.logs_out("Redis is silent").await;
    shop.speaks(&["redis"]);

    shop.silent(&["kafka"]).await;
    shop.is_known("Kafka is silent").await;
    shop.logs_out("Kafka is silent").await;
    order(&shop.staying, &shop.offer, "in-vain").await.problem(503, "unavailable");
    shop.is_seen("accounts", |process| process["outbox_lag_millis"].as_u64() > Some(0)).await;
    shop.is_seen("orders", |process| process["ledger_stuck"] == true).await;

    // The connections of the accounts to Redis are gone when the next log-out is marked.
    shop.control(&["kill", "redis"]);
    shop.control(&["start", "redis"]);
    shop.logs_out("Redis has just come back").await;

    shop.silent(&["redis"]).await;
    shop.is_known("both are silent").await;
    shop.logs_out("both are silent").await;

    shop.silent(&["accounts-1"]).await;
    until("tokens are refused that nobody vouches for", SOON, async || {
        let answer = me(&shop.staying).await;
        if answer.status == 503 { Ok(answer.problem(503, "unavailable")) } else { Err(answer) }
    })
    .await;
    for leaver in &shop.left {
        let refused = me(leaver).await;
        assert!([401, 503].contains(&refused.status), "{refused}");
    }
    shop.staying.anonymous().get("/offers").want(200).await;

    shop.speaks(&["accounts-1", "redis", "kafka"]);
    shop.is_known("everybody speaks again").await;
    shop.orders("everybody speaks again").await;
    for leaver in &shop.left {
        me(leaver).await.problem(401, "unauthenticated");
    }
}

async fn me(buyer: &Api) -> Answer {
    buyer.get("/me").send().await.expect("an answer")
}

async fn is_let_in(buyer: &Api, when: &str) {
    until(format!("a token is good while {when}"), SOON, async || {
        let answer = me(buyer).await;
        if answer.status == 200 { Ok(()) } else { Err(answer) }
    })
    .await;
}

async fn order(buyer: &Api, offer: &str, key: &str) -> Answer {
    buyer.order(key, offer, 1).await.expect("an answer")
}

impl Silence {
    async fn begin() -> Self {
        let cluster = tokio::task::block_in_place(Cluster::up);
        let price = json!({"stock": 200, "price": {"amount": 9_000, "currency": "KRW"}});
        let seller = cluster.seller().await;
        let offer = seller.sell(&ticket("Silence"), &price).await;
        let staying = cluster.account("buyer", "staying@shop.test").await;
        let mut leaving = Vec::new();
        for number in 0..5 {
            leaving.push(cluster.account("buyer", &format!("leaving-{number}@shop.test")).await);
        }
        Self { cluster, offer, seller, staying, leaving, left: Vec::new() }
    }

    fn control(&self, arguments: &[&str]) {
        tokio::task::block_in_place(|| self.cluster.control(arguments));
    }

    /// These say nothing any more, and have not for a while.
    async fn silent(&self, names: &[&str]) {
        names.iter().for_each(|name| self.cluster.signal(name, "STOP"));
        tokio::time::sleep(A_WHILE).await;
    }

    fn speaks(&self, names: &[&str]) {
        names.iter().for_each(|name| self.cluster.signal(name, "CONT"));
    }

    /// A process of this role says so of itself, and the seller sees it.
    async fn is_seen(&self, role: &str, says: impl Fn(&Value) -> bool) {
        until(format!("what a process of {role} says"), SOON, async || {
            let view = self.seller.get("/admin/cluster").want(200).await;
            let parts = view["parts"].as_array().expect("parts").iter().filter(|part| part["role"] == role);
            let mut processes = parts.flat_map(|part| part["instances"].as_array().expect("instances"));
            if processes.any(&says) { Ok(()) } else { Err(view.clone()) }
        })
        .await;
    }

    /// Who has not logged out is let in.
    async fn is_known(&self, when: &str) {
        is_let_in(&self.staying, when).await;
    }

    async fn orders(&self, when: &str) {
        until(format!("an order is placed while {when}"), SOON, async || {
            let placed = order(&self.staying, &self.offer, &when.replace(' ', "-")).await;
            if placed.status == 201 { Ok(()) } else { Err(placed) }
        })
        .await;
    }

    /// Somebody whose token the gateway has seen logs out everywhere.
    async fn logs_out(&mut self, when: &str) {
        let leaver = self.leaving.pop().expect("somebody is left");
        is_let_in(&leaver, when).await;
        log_out(&leaver, &self.cluster.doors(), when).await;
        self.is_known(when).await;
        self.left.push(leaver);
    }
}
