//! The gateway between buyers and roles: a purchase through it, roles that listen to nobody else, log-outs, and instances
//! that die and come back.

use firstcome_tests::{Answer, Api, Cluster, SOON, Storefront as _, ticket, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::log_out;

const ROLES: [&str; 9] = [
    "accounts-1",
    "catalog-1",
    "orders-1",
    "orders-2",
    "payments-1",
    "payments-2",
    "vouchers-1",
    "notices-1",
    "sandbox-1",
];

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}

async fn order(buyer: &Api, key: &str, offer: &str, quantity: u32) -> Answer {
    buyer.order(key, offer, quantity).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_and_its_roles() {
    // With the demo, as somebody has it who tries the shop.
    let cluster = tokio::task::block_in_place(|| Cluster::up_with(&[("FIRSTCOME_CLUSTER_EMPTY", "")]));
    cluster.api().log_in("buyer@example.com", "firstcome").await.get("/me").want(200).await;
    assert_ne!(cluster.api().get("/offers").want(200).await["items"], json!([]));
    let again = tokio::task::block_in_place(|| cluster.control(&["up"]));
    assert!(again.contains(&cluster.address().to_string()), "up twice is once: {again}");
    let seller = cluster.seller().await;
    let offer =
        seller.sell(&ticket("Gate"), &json!({"stock": 200, "price": {"amount": 9_000, "currency": "KRW"}})).await;
    let buyers = cluster.buyers(20);

    a_purchase(&buyers[0], &offer).await;
    one_key_is_one_request(&buyers[1], &offer).await;
    nobody_gets_around_the_gateway(&cluster, &buyers[0]).await;
    a_log_out_is_effective_everywhere(&cluster).await;
    streams_pass_through(&buyers[0], &offer).await;
    what_one_instance_cannot_another_does(&cluster, &seller, &buyers, &offer).await;
}

async fn a_purchase(buyer: &Api, offer: &str) {
    let placed = order(buyer, "first", offer, 2).await.want(201);
    let id = text(&placed, "order_id");
    assert_eq!(buyer.order_of(&id).await.expect("an answer").want(200)["state"], "PENDING", "readable at once");
    buyer.pay(&placed).await;
    assert_eq!(buyer.payment_of(&id).await.expect("an answer").want(200)["state"], "DONE");
    until("it is completed", SOON, async || {
        let order = buyer.order_of(&id).await.expect("an answer").want(200);
        if order["state"] == "COMPLETED" { Ok(()) } else { Err(order) }
    })
    .await;
    until("both vouchers", SOON, async || buyer.vouchers().await.expect("an answer").len() == 2).await;
}

/// Two processes of orders: what is asked for of one offer meets in one of them.
async fn one_key_is_one_request(buyer: &Api, offer: &str) {
    let twins = join_all((0..32).map(|_| order(buyer, "twin", offer, 1))).await;
    let ids: std::collections::BTreeSet<_> = twins.into_iter().map(|twin| text(&twin.want(201), "order_id")).collect();
    assert_eq!(ids.len(), 1, "twins are one order");
    let answers = join_all((1..=8).map(|quantity| order(buyer, "differ", offer, quantity))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "one of several bodies is granted");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "idempotency_key_reused"));
}

async fn nobody_gets_around_the_gateway(cluster: &Cluster, buyer: &Api) {
    for role in ROLES {
        let direct = Api::new(&format!("http://127.0.0.1:{}", cluster.port(role)));
        let token = buyer.token().expect("a buyer has one");
        for path in ["/orders", "/offers", "/me", "/admin/orders", "/nothing"] {
            direct.get(path).send().await.expect("an answer").problem(403, "forbidden");
            direct.with_token(token).get(path).send().await.expect("an answer").problem(403, "forbidden");
            let forged = direct.get(path).header("x-firstcome-caller", &"A".repeat(120)).send().await;
            forged.expect("an answer").problem(403, "forbidden");
        }
        let health = direct.call(hyper::Method::GET, "/healthz").send().await.expect("an answer");
        assert_eq!(health.status, 200, "{role}: health is for everyone");
    }
    // Through the gateway a forged caller is nobody.
    let forged = buyer.anonymous().get("/orders").header("x-firstcome-caller", &"A".repeat(120)).send().await;
    forged.expect("an answer").problem(401, "unauthenticated");
}

async fn a_log_out_is_effective_everywhere(cluster: &Cluster) {
    let leaving = cluster.account("buyer", "leaving@shop.test").await;
    for path in ["/orders", "/me", "/me/vouchers"] {
        leaving.get(path).want(200).await;
    }
    log_out(&leaving, &cluster.doors(), "everybody is well").await;
}

async fn streams_pass_through(buyer: &Api, offer: &str) {
    let mut stream = buyer.stream(&format!("/offers/{offer}/stock/stream")).await.expect("a stream");
    let (name, first) = stream.next(SOON).await.expect("an event");
    assert_eq!(name, "stock");
    order(buyer, "seen", offer, 1).await.want(201);
    until("the order is seen", SOON, async || {
        let (_, next) = stream.next(SOON).await.expect("an event");
        next["available"].as_i64() < first["available"].as_i64()
    })
    .await;
}

async fn what_one_instance_cannot_another_does(cluster: &Cluster, seller: &Api, buyers: &[Api], offer: &str) {
    let instances = async || seller.get("/admin/cluster").want(200).await;
    let orders = |view: &Value| -> Vec<Value> {
        let parts = view["parts"].as_array().expect("parts").iter();
        let part = parts.clone().find(|part| part["role"] == "orders").expect("orders");
        part["instances"].as_array().expect("instances").clone()
    };
    assert_eq!(orders(&instances().await).len(), 2);
    tokio::task::block_in_place(|| cluster.control(&["kill", "orders-2"]));
    let mut ids = Vec::new();
    for buyer in buyers {
        ids.push(text(&order(buyer, "after-the-kill", offer, 1).await.want(201), "order_id"));
        // What is about no offer goes by person, to each of the two.
        buyer.get("/orders").want(200).await;
    }
    // By then nothing goes there any more; or, when few of the buyers were its own, soon.
    until("orders-2 is left out", SOON, async || {
        let left = orders(&instances().await);
        let is_left_out = left.iter().all(|one| one["id"] == "orders-1" || one["circuit"] != "closed");
        if is_left_out { Ok(()) } else { Err(left) }
    })
    .await;
    tokio::task::block_in_place(|| cluster.control(&["start", "orders-2"]));
    let is_back = |one: &Value| one["id"] == "orders-2" && one["circuit"] == "closed";
    until("orders-2 is back", SOON, async || orders(&instances().await).iter().any(is_back)).await;
    // The same requests again are the same orders, whoever answers.
    for (buyer, id) in buyers.iter().zip(ids) {
        assert_eq!(text(&order(buyer, "after-the-kill", offer, 1).await.want(201), "order_id"), id);
    }
    let log = cluster.log("gateway-1");
    assert!(!log.contains("ERROR"), "{log}");
}
