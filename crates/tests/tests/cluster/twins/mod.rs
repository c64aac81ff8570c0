//! Two processes, each of which has accounts, catalog, orders, payments and vouchers, do what a shop does beside its sale: both
//! at the same time, so that what is to happen once is decided between them, and each alone while the other is dead. Once with
//! the databases on MariaDB, and once with them on PostgreSQL.

mod goods;
mod money;
mod people;

use std::collections::BTreeSet;

use firstcome_tests::{Answer, Api, Cluster, Encryption, MailServer, SOON, Storefront as _, until};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::advertising::at_any_hour;
use crate::second_factor::KIM;

const TWINS: [&str; 2] = ["accounts+catalog+orders+payments+vouchers-1", "accounts+catalog+orders+payments+vouchers-2"];
const READERS: usize = 6;

/// The shop, and who is in it.
struct Twins {
    cluster: Cluster,
    mail: MailServer,
    seller: Api,
    night: Api,
    readers: Vec<Api>,
    /// To whom e-mails that have this in them were to come, and how many.
    expected: Mutex<Vec<(String, Vec<String>, usize)>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_beside_the_sale_by_two_processes_on_mariadb() {
    play("vouchers").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_beside_the_sale_by_two_processes_on_postgresql() {
    play("accounts catalog orders payments notices sandbox").await;
}

async fn play(on_postgres: &str) {
    let mut twins = Twins::start(on_postgres).await;
    people::advertising_waits_for_the_mail_server(&mut twins).await;
    let (people, goods, money) =
        tokio::join!(people::People::meet(&twins), goods::Goods::meet(&twins), money::Money::meet(&twins));
    for (turn, dead) in TWINS.into_iter().enumerate() {
        twins.kill(dead).await;
        tokio::join!(people.go_on(&twins, turn), goods.go_on(&twins, turn), money.go_on(&twins, turn));
        goods.lose_what_is_searched(&twins).await;
        twins.control(&["start", dead]);
        goods.is_found(&twins).await;
    }
    for (to, parts, count) in twins.expected.lock().iter() {
        assert_eq!(twins.mails(to, parts), *count, "e-mails to {to} with {parts:?}");
    }
    let letters = twins.seller.get("/admin/dead-letters").want(200).await;
    assert_eq!(letters["items"], json!([]));
    tokio::task::block_in_place(|| twins.cluster.audit()).ok();
}

/// Where the e-mails to a reader go.
fn email(reader: usize) -> String {
    format!("reader-{reader}@shop.test")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Asserts that one of several was answered so, and all others with this problem.
fn one_of(answers: Vec<Answer>, granted: u16, status: u16, code: &str) {
    let count = answers.iter().filter(|answer| answer.status == granted).count();
    assert_eq!(count, 1, "{answers:?}");
    for other in answers.into_iter().filter(|answer| answer.status != granted) {
        other.problem(status, code);
    }
}

impl Twins {
    /// Starts them, with a mail server that is not there yet.
    async fn start(on_postgres: &str) -> Self {
        let mail = MailServer::prepare(Encryption::None);
        let processes = format!("{} {} sandbox+notices-1 gateway-1", TWINS[0], TWINS[1]);
        let mut environment = [mail.environment(), at_any_hour()].concat();
        environment.push(("FIRSTCOME_CLUSTER_PROCESSES".into(), processes.into()));
        environment.push(("FIRSTCOME_CLUSTER_POSTGRES".into(), on_postgres.into()));
        let cluster = tokio::task::block_in_place(|| Cluster::up_within(environment));
        let (seller, night) = (cluster.seller().await, cluster.account("seller", KIM).await);
        let mut readers = Vec::new();
        for reader in 0..READERS {
            readers.push(cluster.account("buyer", &email(reader)).await);
        }
        Self { cluster, mail, seller, night, readers, expected: Mutex::default() }
    }

    fn control(&self, arguments: &[&str]) {
        tokio::task::block_in_place(|| self.cluster.control(arguments));
    }

    /// Kills one of them, and waits until everything goes to the other.
    async fn kill(&self, dead: &str) {
        self.control(&["kill", dead]);
        until(format!("{dead} is left out"), SOON, async || {
            let view = self.seller.get("/admin/cluster").want(200).await;
            let parts = view["parts"].as_array().expect("parts").iter();
            let mut asked = parts.filter(|part| TWINS[0].contains(&text(&part["role"]))).map(|part| {
                let all = part["instances"].as_array().expect("instances").iter();
                all.filter(|one| one["circuit"] != "open").map(|one| text(&one["id"])).collect::<Vec<_>>()
            });
            let alone = asked.all(|ids| ids.len() == 1 && ids[0] != dead);
            if alone { Ok(()) } else { Err(view) }
        })
        .await;
    }

    /// How many e-mails to somebody have all of this in them. One that was delivered again, under the same id, is one.
    fn mails(&self, to: &str, parts: &[String]) -> usize {
        let received = self.mail.received();
        let to_them = received.iter().filter(|mail| mail.text("to") == to);
        let has = |part: &String| {
            to_them
                .clone()
                .filter(|mail| mail.text("subject").contains(part) || mail.text("body").contains(part))
                .map(|mail| mail.text("id"))
                .collect::<BTreeSet<_>>()
        };
        parts.iter().map(has).reduce(|all, next| &all & &next).expect("something is looked for").len()
    }

    /// Waits until an e-mail to a reader is there with all of this in it. At the end there is no second one.
    async fn comes_once(&self, reader: usize, parts: &[&str]) {
        let (to, parts) = (email(reader), parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>());
        until(format!("an e-mail to {to} with {parts:?}"), SOON, async || self.mails(&to, &parts) > 0).await;
        self.expected.lock().push((to, parts, 1));
    }

    /// At the end there is no e-mail to a reader with this in it.
    fn never_comes(&self, reader: usize, part: &str) {
        self.expected.lock().push((email(reader), vec![part.to_owned()], 0));
    }
}
