//! Links between roles and servers that are slow, narrow, cut, or silent, while people buy.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use firstcome_tests::{Link, Proxy, Random, free_address};

use super::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_fail_in_mid_sale() {
    // Clients of Kafka connect to where the broker says that it is, so this broker says that it is at a proxy.
    let listener = free_address();
    let kafka = Proxy::to(listener).await;
    let proxied = format!("{}:{}", listener.port(), kafka.address().port());
    let shape = [("FIRSTCOME_KAFKA_PROXIED", proxied.as_str())];
    let mut running = Running::start_with("links_fail_in_mid_sale", &shape).await;
    running.go_on(500).await;
    let links = Links::between(&running, kafka).await;
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
    for fault in ["slow", "narrow", "cut", "silent"] {
        links.kafka.set(link(fault, &mut running.random));
        // Longer than a command waits for Kafka.
        running.go_on(4_500).await;
        links.kafka.mend();
        running.decides("orders-2", &format!("its link to Kafka was {fault}")).await;
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

/// Half of the processes reach their servers through these.
struct Links {
    kafka: Proxy,
    redis: Proxy,
    mariadb: Proxy,
    postgres: Proxy,
    provider: Proxy,
}

impl Links {
    async fn between(running: &Running, kafka: Proxy) -> Self {
        let to = async |name: &str| Proxy::to(local(running.cluster.port(name))).await;
        Self {
            kafka,
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
        let with = |mut more: Vec<_>| {
            let redis = format!("redis://{}", self.redis.address());
            let kafka = self.kafka.address().to_string();
            more.extend([variable("FIRSTCOME_REDIS_SERVERS", redis), variable("FIRSTCOME_KAFKA_SERVERS", kafka)]);
            more
        };
        let mariadb = |role: &str, name: &str| {
            variable(name, format!("mysql://root@{}/firstcome_{role}", self.mariadb.address()))
        };
        let vouchers = format!("postgres://firstcome@{}/firstcome_vouchers", self.postgres.address());
        let provider = format!("http://{}/sandbox/toss", self.provider.address());
        [
            ("orders-2", with(vec![mariadb("orders", "FIRSTCOME_DATABASES_ORDERS")])),
            (
                "payments-2",
                with(vec![
                    mariadb("payments", "FIRSTCOME_DATABASES_PAYMENTS"),
                    variable("FIRSTCOME_PAYMENTS_PROVIDER_URL", provider),
                    variable("FIRSTCOME_PAYMENTS_SECRET_KEY", "test_sk_firstcome_sandbox".to_owned()),
                ]),
            ),
            ("vouchers-1", with(vec![variable("FIRSTCOME_DATABASES_VOUCHERS", vouchers)])),
            ("accounts-1", with(vec![mariadb("accounts", "FIRSTCOME_DATABASES_ACCOUNTS")])),
        ]
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
