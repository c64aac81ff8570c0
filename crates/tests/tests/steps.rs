//! What buyers are told of their orders, where parcels go, and what the shop finds and resolves afterwards. At the end of each
//! test the audit agrees.

use firstcome_tests::{
    Answer, Api, Encryption, MailServer, PASSWORD, SOON, Shop, ShopOptions, Storefront as _, ticket, until,
};
use futures_util::future::join;
use hyper::Method;
use serde_json::{Value, json};

const KIM: &str = "kim@shop.test";

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The e-mails to an address, newest first.
async fn mails(shop: &Shop, to: &str) -> Vec<Value> {
    let path = format!("/dev/mailbox?to={}", to.replace('@', "%40"));
    let listed = shop.api().call(Method::GET, &path).header("accept", "application/json").want(200).await;
    listed["items"].as_array().expect("a list").clone()
}

/// How many e-mails have this in their subject.
async fn told(shop: &Shop, subject: &str) -> usize {
    let mails = mails(shop, KIM).await;
    mails.iter().filter(|mail| mail["subject"].as_str().is_some_and(|text| text.contains(subject))).count()
}

/// Waits until Kim has so many e-mails of this subject; returns the newest.
async fn is_told(shop: &Shop, subject: &str, count: usize) -> String {
    until(format!("{count} e-mails: {subject}"), SOON, async || {
        let found = told(shop, subject).await;
        if found == count { Ok(()) } else { Err(found) }
    })
    .await;
    let mails = mails(shop, KIM).await;
    let newest = mails.iter().find(|mail| mail["subject"].as_str().is_some_and(|text| text.contains(subject)));
    text(&newest.expect("it was counted")["body"])
}

async fn act(operator: &Api, order: &str, action: &str, body: &Value) -> Answer {
    operator.post(&format!("/admin/orders/{order}/{action}")).json(body).send().await.expect("an answer")
}

async fn audited(mut shop: Shop) {
    shop.stop().await;
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_is_told_each_step_once() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let kim = shop.api().sign_up(KIM, PASSWORD).await;
    let cups = seller.sell(&json!({"kind": "goods", "name": "청자 컵"}), &json!({"price": 12_000, "stock": 9})).await;
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 9_000, "stock": 9})).await;

    let order = kim.buy("cup", &cups, 2).await;
    let receipt = is_told(&shop, "Your order is completed", 1).await;
    assert!(
        receipt.contains("청자 컵 × 2") && receipt.contains("KRW 24,000") && !receipt.contains("My vouchers"),
        "{receipt}"
    );
    act(&seller, &order, "ship", &json!({"carrier": "CJ Logistics", "tracking": "777-1"})).await.want(200);
    let shipped = is_told(&shop, "on their way", 1).await;
    assert!(shipped.contains("CJ Logistics") && shipped.contains("777-1"), "{shipped}");
    act(&seller, &order, "deliver", &json!({})).await.want(200);
    is_told(&shop, "were delivered", 1).await;
    let back = json!({"reason": "too small for Zebulon"});
    kim.post(&format!("/orders/{order}/return")).key("back").json(&back).want(200).await;
    is_told(&shop, "asked to return", 1).await;
    act(&seller, &order, "return/approve", &json!({})).await.want(200);
    is_told(&shop, "return is approved", 1).await;
    act(&seller, &order, "return/receive", &json!({"restock": false})).await.want(200);
    is_told(&shop, "back with us", 1).await;
    assert!(is_told(&shop, "Your money is back", 1).await.contains("KRW 24,000"));
    assert_eq!(seller.live(&cups).await.expect("an answer").want(200)["stock"], 7, "they are not sold again");

    let tickets = kim.buy("gate", &gate, 1).await;
    assert!(is_told(&shop, "Your order is completed", 2).await.contains("My vouchers"));
    let code = text(&kim.delivered(|voucher| voucher["order_id"] == tickets.as_str()).await["code"]);
    kim.post(&format!("/orders/{tickets}/cancel")).key("no").json(&json!({})).want(200).await;
    is_told(&shop, "Your money is back", 2).await;

    // Again, by hand, and nothing that never was.
    act(&seller, &tickets, "resend", &json!({"step": "completed"})).await.want(202);
    is_told(&shop, "Your order is completed", 3).await;
    act(&seller, &order, "resend", &json!({"step": "shipped"})).await.want(202);
    is_told(&shop, "on their way", 2).await;
    act(&seller, &tickets, "resend", &json!({"step": "shipped"})).await.problem(409, "wrong_state");
    act(&seller, &tickets, "resend", &json!({"step": "posted"})).await.problem(422, "invalid_body");
    let unpaid = text(&kim.order("unpaid", &gate, 1).await.expect("an answer").want(201)["order_id"]);
    kim.cancel("never", &unpaid).await.expect("an answer").want(200);
    is_told(&shop, "was canceled", 2).await;

    for (subject, count) in [("Your order is completed", 3), ("were delivered", 1), ("Your money is back", 2)] {
        assert_eq!(told(&shop, subject).await, count, "{subject}");
    }
    let log = shop.log();
    assert!(!log.contains(&code) && !log.contains("Zebulon") && !log.contains(KIM), "{log}");
    audited(shop).await;
}

/// Killed at every step, with a mail server that is away: what is to be sent waits in the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_the_same_twice_however_often_the_shop_is_killed() {
    let server = MailServer::prepare(Encryption::None);
    let mut shop = Shop::start_with(ShopOptions { environment: server.environment(), ..ShopOptions::default() }).await;
    let seller = shop.seller().await;
    let buyer = shop.account("buyer", KIM).await;
    let cups = seller.sell(&json!({"kind": "goods", "name": "Cup"}), &json!({"price": 0, "stock": 9})).await;
    let ship_to = json!({"name": "Lee", "phone": "010-9999-0000", "address": "2 Other Street"});
    for key in ["a", "b", "c"] {
        let body = json!({"offer_id": cups, "quantity": 1, "ship_to": ship_to});
        let order = text(&buyer.post("/orders").key(key).json(&body).want(201).await["order_id"]);
        shop.kill();
        shop.start_again().await;
        act(&seller, &order, "ship", &json!({"carrier": "CJ", "tracking": key})).await.want(200);
        shop.kill();
        shop.start_again().await;
        act(&seller, &order, "deliver", &json!({})).await.want(200);
    }
    shop.kill();
    shop.start_again().await;
    let accounts = rusqlite::Connection::open(shop.data().join("accounts.db")).expect("a database");
    let waiting = || {
        let sql = "SELECT purpose, count(*) FROM mails WHERE state = 'waiting' GROUP BY purpose ORDER BY purpose";
        let mut select = accounts.prepare(sql).expect("a table");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<Vec<(String, i64)>, _>>().expect("readable")
    };
    let each = ["completed", "delivered", "shipped"].map(|step| (step.to_owned(), 3));
    until("an e-mail for each step of each order", SOON, async || {
        let waiting = waiting();
        if waiting.iter().map(|(_, count)| count).sum::<i64>() >= 9 { Ok(()) } else { Err(waiting) }
    })
    .await;
    shop.stop().await;
    assert_eq!(waiting(), each);
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_switched_off_is_not_written_about() {
    let environment = vec![("FIRSTCOME_MAILS_OFF".into(), "completed, shipped".into())];
    let shop = Shop::start_with(ShopOptions { environment, ..ShopOptions::default() }).await;
    let seller = shop.seller().await;
    let kim = shop.api().sign_up(KIM, PASSWORD).await;
    let cups = seller.sell(&json!({"kind": "goods", "name": "Cup"}), &json!({"price": 0, "stock": 9})).await;
    let order = text(&kim.order("cup", &cups, 1).await.expect("an answer").want(201)["order_id"]);
    act(&seller, &order, "ship", &json!({"carrier": "CJ", "tracking": "1"})).await.want(200);
    act(&seller, &order, "deliver", &json!({})).await.want(200);
    is_told(&shop, "were delivered", 1).await;
    assert_eq!((told(&shop, "completed").await, told(&shop, "on their way").await), (0, 0));
    act(&seller, &order, "resend", &json!({"step": "shipped"})).await.problem(409, "wrong_state");
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_reads_where_parcels_go_and_that_it_did_is_written_down() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let kim = shop.api().sign_up(KIM, PASSWORD).await;
    let cups = seller.sell(&json!({"kind": "goods", "name": "Cup"}), &json!({"price": 0, "stock": 9})).await;
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 0, "stock": 9})).await;
    let of_account = text(&kim.order("account", &cups, 1).await.expect("an answer").want(201)["order_id"]);
    let ship_to = json!({"name": "Lee", "phone": "010-9999-0000", "address": "2 Other Street"});
    let body = json!({"offer_id": cups, "quantity": 1, "ship_to": ship_to});
    let own = text(&kim.post("/orders").key("own").json(&body).want(201).await["order_id"]);
    // What the account says later does not move what was ordered before.
    kim.patch("/me").json(&json!({"address": "9 New Street"})).want(200).await;

    let read =
        async |order: &str| seller.get(&format!("/admin/orders/{order}/address")).send().await.expect("an answer");
    assert_eq!(read(&own).await.want(200), ship_to);
    let leads = read(&of_account).await;
    assert_eq!(leads.status, 307);
    let location = text(&json!(leads.headers["location"].to_str().expect("an address")));
    let label = seller.call(Method::GET, &location).want(200).await;
    assert_eq!((&label["name"], &label["address"]), (&json!("Kim Buyer"), &json!("1 Sejong-daero, Seoul")));
    kim.call(Method::GET, &location).send().await.expect("an answer").problem(403, "forbidden");
    let digital = text(&kim.order("gate", &gate, 1).await.expect("an answer").want(201)["order_id"]);
    read(&digital).await.problem(404, "not_found");

    let actions = seller.get("/admin/actions?limit=100").want(200).await;
    let seen = |action: &str, object: &str| {
        let items = actions["items"].as_array().expect("a list");
        items.iter().filter(|item| item["action"] == action && item["object"] == object).count()
    };
    assert_eq!(seen("GET /admin/orders/{id}/address", &own), 1, "{actions}");
    assert_eq!(seen("GET /admin/addresses/{id}", location.rsplit('/').next().expect("an id")), 1, "{actions}");

    // An account without an address.
    let poor = shop.account("buyer", "poor@shop.test").await;
    poor.order("none", &cups, 1).await.expect("an answer").problem(422, "address_missing");
    kim.delete("/me").want(204).await;
    seller.call(Method::GET, &location).send().await.expect("an answer").problem(404, "not_found");
    until("the order's own address is forgotten", SOON, async || {
        let answer = read(&own).await;
        if answer.status == 404 { Ok(()) } else { Err(answer) }
    })
    .await;
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_several_lines_is_what_counts() {
    let shop = Shop::start().await;
    let (seller, buyer) = (shop.seller().await, shop.buyers(1).remove(0));
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 1_000, "stock": 9})).await;
    let cups = seller.sell(&json!({"kind": "goods", "name": "Cup"}), &json!({"price": 500, "stock": 9})).await;
    let body = json!({"lines": [{"offer_id": gate, "quantity": 1}, {"offer_id": cups, "quantity": 2}]});
    let bought = async |key: &str| {
        let order = buyer.post("/orders").key(key).json(&body).want(201).await;
        buyer.pay(&order).await;
        text(&order["order_id"])
    };
    let cancel = async |key: &str, order: &str, offer: &str, quantity: u32| {
        let body = json!({"lines": [{"offer_id": offer, "quantity": quantity}]});
        buyer.post(&format!("/orders/{order}/cancel")).key(key).json(&body).want(200).await;
    };
    let is = async |order: &str, state: &str| {
        until(format!("{order} is {state}"), SOON, async || {
            let view = buyer.order_of(order).await.expect("an answer").want(200);
            if view["state"] == state { Ok(view) } else { Err(view) }
        })
        .await
    };
    let parcel = json!({"carrier": "CJ", "tracking": "1"});

    // The ticket goes back, the home of the order; the cups are sent all the same, and come back.
    let one = bought("one").await;
    cancel("one-gate", &one, &gate, 1).await;
    assert_eq!(is(&one, "PARTIALLY_CANCELED").await["shipping"]["state"], "PREPARING");
    act(&seller, &one, "ship", &parcel).await.want(200);
    act(&seller, &one, "deliver", &json!({})).await.want(200);
    buyer.post(&format!("/orders/{one}/return")).key("back").json(&json!({})).want(200).await;
    act(&seller, &one, "return/receive", &json!({})).await.want(200);
    is(&one, "RETURNED").await;

    // The cups go back, and nothing is left to send.
    let two = bought("two").await;
    cancel("two-cups", &two, &cups, 2).await;
    is(&two, "PARTIALLY_CANCELED").await;
    act(&seller, &two, "ship", &parcel).await.problem(409, "wrong_state");
    cancel("two-gate", &two, &gate, 1).await;
    assert!(is(&two, "CANCELED").await.get("shipping").is_none());
    for (state, order) in [("RETURNED", &one), ("CANCELED", &two)] {
        until(format!("{state} is found"), SOON, async || {
            let found = seller.admin_orders(&format!("state={state}")).await.expect("a list");
            if found.iter().any(|found| found["order_id"] == order.as_str()) { Ok(()) } else { Err(found) }
        })
        .await;
    }
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_found_by_everything_together() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let kim = shop.api().sign_up(KIM, PASSWORD).await;
    let other = shop.buyers(1).remove(0);
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 1_000, "stock": 50})).await;
    let show = seller.sell(&ticket("Show"), &json!({"price": 1_000, "stock": 50})).await;
    let mut placed = Vec::new();
    for (buyer, key, offer) in [(&kim, "a", &gate), (&other, "b", &gate), (&kim, "c", &show), (&kim, "d", &gate)] {
        placed.push(buyer.order(key, offer, 1).await.expect("an answer").want(201));
    }
    let ids: Vec<String> = placed.iter().map(|order| text(&order["order_id"])).collect();
    kim.cancel("x", &ids[3]).await.expect("an answer").want(200);
    let found = seller.post("/admin/users/find").json(&json!({"email": "Kim@shop.test"})).want(200).await;
    let user = text(&found["user_id"]);
    seller
        .post("/admin/users/find")
        .json(&json!({"email": "nobody@shop.test"}))
        .send()
        .await
        .expect("an answer")
        .problem(404, "not_found");
    let search = async |query: String| {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = seller.get(&format!("/admin/orders?limit=1&{query}{cursor}")).want(200).await;
            all.extend(page["items"].as_array().expect("a list").iter().map(|order| text(&order["order_id"])));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    };
    let wanted = |places: &[usize]| places.iter().map(|place| ids[*place].clone()).collect::<Vec<_>>();
    let since = text(&placed[1]["created_at"]);
    let is = async |query: String, places: &[usize]| {
        until(format!("found by {query}"), SOON, async || {
            let all = search(query.clone()).await;
            if all == wanted(places) { Ok(()) } else { Err(all) }
        })
        .await;
    };
    is(format!("user={user}"), &[3, 2, 0]).await;
    is(format!("user={user}&offer={gate}"), &[3, 0]).await;
    is(format!("user={user}&offer={gate}&state=PENDING"), &[0]).await;
    is("state=CANCELED".to_owned(), &[3]).await;
    is(format!("from={since}"), &[3, 2, 1]).await;
    is(format!("to={since}"), &[0]).await;
    is(format!("from={since}&state=PENDING&offer={gate}"), &[1]).await;
    is(format!("from={since}&to={since}"), &[]).await;
    is("stuck=true".to_owned(), &[]).await;
    for wrong in ["state=LOST", "user=usr_1", "offer=gate", "from=yesterday", "to=1", "stuck=maybe", "cursor=x"] {
        seller
            .get(&format!("/admin/orders?{wrong}"))
            .send()
            .await
            .expect("an answer")
            .problem(400, "malformed_request");
    }
    audited(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_the_provider_refuses_is_resolved_by_a_person() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let night = shop.account("operator", "night@shop.test").await;
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 1_000, "stock": 50})).await;
    let buyer = shop.buyers(1).remove(0);
    let refuse = json!({"on": "cancel", "kind": "decline", "code": "NOT_CANCELABLE_PAYMENT"});
    shop.api().sandbox_faults(&[refuse]).await.expect("an answer").want(200);
    let mut cases = Vec::new();
    for key in ["one", "two"] {
        let order = buyer.buy(key, &gate, 1).await;
        buyer.delivered(|voucher| voucher["order_id"] == order.as_str()).await;
        buyer.cancel(&format!("no-{key}"), &order).await.expect("an answer").want(200);
        let case = until("it needs a person", SOON, async || {
            let listed = night.get("/admin/quarantine?kind=refund").want(200).await;
            let found =
                listed["items"].as_array().expect("a list").iter().find(|item| item["order_id"] == order.as_str());
            found.cloned().ok_or(listed)
        })
        .await;
        assert_eq!((&case["amount"], &case["state"]), (&won(1_000), &json!("QUARANTINED")), "{case}");
        assert!(text(&case["last_answer"]).contains("NOT_CANCELABLE_PAYMENT") && case["since"].is_string(), "{case}");
        cases.push((order, text(&case["id"])));
    }
    assert_eq!(night.get("/admin/quarantine?kind=payment").want(200).await["items"], json!([]));
    let page = night.get("/admin/quarantine?limit=1").want(200).await;
    let next = night.get(&format!("/admin/quarantine?limit=1&cursor={}", text(&page["next_cursor"]))).want(200).await;
    assert_eq!((&page["items"][0]["id"], &next["items"][0]["id"]), (&json!(cases[1].1), &json!(cases[0].1)));
    assert!(next["next_cursor"].is_null());
    night.get("/admin/quarantine?kind=order").send().await.expect("an answer").problem(400, "malformed_request");
    shop.audit().ok();

    let ask = async |who: &Api, key: &str, id: &str| {
        who.post(&format!("/admin/quarantine/{id}/ask-again"))
            .key(key)
            .json(&json!({}))
            .send()
            .await
            .expect("an answer")
    };
    let resolve = async |who: &Api, key: &str, id: &str, outcome: &str| {
        let body = json!({"outcome": outcome, "reason": "seen in the console"});
        who.post(&format!("/admin/quarantine/{id}/resolve")).key(key).json(&body).send().await.expect("an answer")
    };
    let (one, two) = (&cases[0].1, &cases[1].1);
    assert_eq!(ask(&night, "still", one).await.want(200)["state"], "QUARANTINED", "it refuses still");
    ask(&night, "none", "pay_00000000000000000000000000").await.problem(404, "not_found");
    resolve(&night, "wrong", one, "charged").await.problem(422, "invalid_body");
    resolve(&night, "wrong", one, "refunded").await.problem(422, "idempotency_key_reused");

    // Two people at once: one is first, and the other is told.
    let (mine, theirs) =
        join(resolve(&night, "mine", one, "refunded"), resolve(&seller, "theirs", one, "refunded")).await;
    let mut statuses = [mine.status, theirs.status];
    statuses.sort_unstable();
    assert!(statuses == [200, 409] || statuses == [200, 200], "{mine} {theirs}");
    let settled = async |order: &str| {
        until(format!("{order} is refunded"), SOON, async || {
            let payment = buyer.payment_of(order).await.expect("an answer").want(200);
            if payment["refunded"] == won(1_000) { Ok(()) } else { Err(payment) }
        })
        .await;
    };
    settled(&cases[0].0).await;
    let again = if mine.status == 200 {
        resolve(&night, "mine", one, "refunded")
    } else {
        resolve(&night, "new", one, "refunded")
    };
    let again = again.await;
    assert!(again.status == 200 && again.json["state"] == "DONE" || again.status == 409, "{again}");

    // The provider takes it now.
    shop.api().sandbox_faults(&[]).await.expect("an answer").want(200);
    for _ in 0..2 {
        let state = resolve(&night, "go-on", two, "not_refunded").await.want(200)["state"].clone();
        assert!(["PENDING", "DONE"].contains(&text(&state).as_str()), "{state}");
    }
    settled(&cases[1].0).await;
    ask(&night, "late", two).await.problem(409, "wrong_state");
    assert_eq!(night.get("/admin/quarantine").want(200).await["items"], json!([]));
    let actions = seller.get("/admin/actions?limit=100").want(200).await;
    let written = actions["items"].as_array().expect("a list").iter();
    assert!(written.filter(|item| item["object"] == two.as_str()).count() >= 1, "{actions}");
    audited(shop).await;
}
