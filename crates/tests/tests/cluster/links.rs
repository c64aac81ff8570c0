//! Links between roles and servers that are slow, narrow, cut, or silent, while people buy.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use firstcome_tests::{Link, Proxy, Random};

use super::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_fail_in_mid_sale() {
    let mut running = Running::start("links_fail_in_mid_sale").await;
    running.go_on(500).await;
    let links = Links::between(&running).await;
    for (process, environment) in links.environment() {
        running.cluster.environment = environment;
        running.control(&["stop", process]);
        running.control(&["start", process]);
    }
    running.cluster.environment.clear();
    running.recover("everything goes through proxies").await;

    for (name, proxy) in links.all() {
        for fault in ["slow", "narrow", "cut", "silent"] {
            proxy.set(link(fault, &mut running.random));
            running.go_on(1_500).await;
            proxy.mend();
            running.recover(&format!("the link to {name} was {fault}")).await;
        }
    }
    running.sale.refresh_staff().await;
    running.end(10).await;
}

fn link(fault: &str, random: &mut Random) -> Link {
    match fault {
        "slow" => Link { delay: Duration::from_millis(50 + random.below(200)), ..Link::default() },
        "narrow" => Link { bytes_per_second: 20_000, ..Link::default() },
        "cut" => Link { cut: true, ..Link::default() },
        _ => Link { silent: true, ..Link::default() },
    }
}

/// Half of the processes reach their servers through these. Kafka is not among them, because its clients connect to where
/// the broker says that it is; it is stopped and frozen in another test.
struct Links {
    redis: Proxy,
    mariadb: Proxy,
    postgres: Proxy,
    provider: Proxy,
}

impl Links {
    async fn between(running: &Running) -> Self {
        let to = async |name: &str| Proxy::to(local(running.cluster.port(name))).await;
        Self {
            redis: to("redis").await,
            mariadb: to("mariadb").await,
            postgres: to("postgresql").await,
            provider: to("gateway-1").await,
        }
    }

    fn all(&self) -> [(&'static str, &Proxy); 4] {
        [
            ("Redis", &self.redis),
            ("MariaDB", &self.mariadb),
            ("PostgreSQL", &self.postgres),
            ("the provider", &self.provider),
        ]
    }

    /// What each process is started with.
    fn environment(&self) -> [(&'static str, Vec<(std::ffi::OsString, std::ffi::OsString)>); 4] {
        let variable = |name: &str, value: String| (name.into(), value.into());
        let redis = || variable("FIRSTCOME_REDIS_SERVERS", format!("redis://{}", self.redis.address()));
        let mariadb = |role: &str, name: &str| {
            variable(name, format!("mysql://root@{}/firstcome_{role}", self.mariadb.address()))
        };
        let vouchers = format!("postgres://firstcome@{}/firstcome_vouchers", self.postgres.address());
        let provider = format!("http://{}/sandbox/toss", self.provider.address());
        [
            ("orders-2", vec![redis(), mariadb("orders", "FIRSTCOME_DATABASES_ORDERS")]),
            (
                "payments-2",
                vec![
                    redis(),
                    mariadb("payments", "FIRSTCOME_DATABASES_PAYMENTS"),
                    variable("FIRSTCOME_PAYMENTS_PROVIDER_URL", provider),
                    variable("FIRSTCOME_PAYMENTS_SECRET_KEY", "test_sk_firstcome_sandbox".to_owned()),
                ],
            ),
            ("vouchers-1", vec![redis(), variable("FIRSTCOME_DATABASES_VOUCHERS", vouchers)]),
            ("accounts-1", vec![redis(), mariadb("accounts", "FIRSTCOME_DATABASES_ACCOUNTS")]),
        ]
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
