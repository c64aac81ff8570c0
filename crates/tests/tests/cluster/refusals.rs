//! Configurations that no process may start with, each refused with what is wrong and what to do; and one server that may be
//! away.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use firstcome_tests::{Api, Finished, SOON, free_address, program, run_with, until};

type Variables<'a> = &'a [(&'a str, &'a str)];

/// For commands that look at every role otherwise.
const ORDERS: [(&str, &str); 1] = [("FIRSTCOME_SERVER_ROLES", "orders")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_configuration_is_refused() {
    let ground = Ground::new();
    let nobody = free_address().to_string();
    let (redis, sql) = (format!("redis://{nobody}"), format!("mysql://root@{nobody}/orders"));
    let mariadb = server("MARIADB");
    let host = mariadb.trim_start_matches("mysql://root@").to_owned();
    let wrong = format!("mysql://root:not-it@{host}/{}", ground.database("orders"));
    let missing = format!("{mariadb}/firstcome_not_there");

    let said = ground.refused("orders", &[("FIRSTCOME_DATABASES_ORDERS", &wrong)], &["databases.orders", "password"]);
    assert!(!said.contains("not-it"), "a password is shown: {said}");
    ground.refused("orders", &[("FIRSTCOME_DATABASES_ORDERS", &missing)], &["databases.orders", "firstcome_not_there"]);
    two_roles_need_two_databases(&ground, &mariadb);
    redis_must_be_fit(&ground).await;
    everything_that_is_wrong_is_said(
        &ground,
        &[("FIRSTCOME_KAFKA_SERVERS", &nobody), ("FIRSTCOME_DATABASES_ORDERS", &sql)],
    );
    without_redis_it_starts(&ground, &redis).await;
    other_keys_are_refused(&ground);
}

fn two_roles_need_two_databases(ground: &Ground, mariadb: &str) {
    let one = format!("{mariadb}/{}", ground.database("orders")).replace("mysql://", "mariadb://");
    let both = [("FIRSTCOME_DATABASES_PAYMENTS", one.as_str())];
    ground.refused("orders,payments", &both, &["databases.orders and databases.payments", "database of its own"]);
    ground.run(&["migrate"], &ORDERS).ok();
    ground.refused("payments", &both, &["databases.payments", "belongs to the role orders"]);
}

async fn redis_must_be_fit(ground: &Ground) {
    let evicts = OwnRedis::start(&["--maxmemory-policy", "allkeys-lru"]).await;
    let said = ["maxmemory-policy", "allkeys-lru", "noeviction"];
    ground.refused("gateway", &[("FIRSTCOME_REDIS_SERVERS", &evicts.url(""))], &said);
    let locked = OwnRedis::start(&["--requirepass", "secret"]).await;
    ground.refused(
        "gateway",
        &[("FIRSTCOME_REDIS_SERVERS", &locked.url(":other@"))],
        &["Redis", "password", "redis.servers"],
    );
}

fn everything_that_is_wrong_is_said(ground: &Ground, wrong: Variables<'_>) {
    let said = ["Kafka", wrong[0].1, "refused", "kafka.servers", "databases.orders", "start the server"];
    ground.refused("orders", wrong, &said);
    let table = ground.run(&["doctor"], &[wrong, &ORDERS].concat());
    assert_eq!(table.code, Some(1), "{}", table.said());
    for said in ["FAIL  Kafka: reachable", "FAIL  databases.orders: reachable", "ok    Redis: version", "2 failures"] {
        assert!(table.out.contains(said), "no `{said}` in {}", table.out);
    }
    ground.run(&["doctor"], &ORDERS).ok();
}

/// Redis gives advice only.
async fn without_redis_it_starts(ground: &Ground, redis: &str) {
    let address = free_address();
    let mut process = ground.serve("orders", address, redis);
    let api = Api::new(&format!("http://{address}"));
    until("it starts without Redis", SOON, async || {
        let ended = process.try_wait().expect("a child");
        assert!(ended.is_none(), "it does not start without Redis: {ended:?}");
        api.call(hyper::Method::GET, "/readyz").send().await.is_ok_and(|answer| answer.status == 200)
    })
    .await;
    process.kill().expect("it runs");
    process.wait().expect("a child");
}

/// What was encrypted with the keys of the first could not be read by the second.
fn other_keys_are_refused(ground: &Ground) {
    let folder = ground.folder.path().join("other-keys").display().to_string();
    let other = ("FIRSTCOME_CLUSTER_KEYS", folder.as_str());
    ground.run(&["migrate"], &[other, ORDERS[0]]).ok();
    let said = "the database of orders was encrypted with other keys";
    let table = ground.run(&["doctor"], &[other, ORDERS[0]]);
    assert!(table.code == Some(1) && table.out.contains("FAIL  keys of orders"), "{}", table.said());
    assert!(table.out.contains(said), "{}", table.said());
    ground.refused("orders", &[other], &[said]);
    assert!(ground.run(&["doctor"], &ORDERS).ok().contains("ok    keys of orders"));
}

fn server(name: &str) -> String {
    std::env::var(format!("FIRSTCOME_TEST_{name}")).expect("scripts/servers has started it")
}

/// A configuration on the servers that all tests share, with a prefix and databases of its own.
struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let ground = Self { folder: tempfile::tempdir().expect("a folder") };
        ground.sql("CREATE DATABASE");
        let name = ground.database("");
        let folder = ground.path().display();
        let config = format!(
            "[cluster]\nname = \"{name}\"\nsecret = \"0123456789abcdef0123456789abcdef\"\nkeys = \"{folder}/keys\"\n\
             gateway = \"http://127.0.0.1:1\"\n[kafka]\nservers = \"{}\"\nprefix = \"{name}\"\nreplication = 1\n\
             min_in_sync = 1\n[redis]\nservers = \"{}\"\n[databases]\norders = \"{}/{}\"\n",
            server("KAFKA"),
            server("REDIS"),
            server("MARIADB"),
            ground.database("orders"),
        );
        std::fs::write(ground.path().join("cluster.toml"), config).expect("written");
        ground
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn database(&self, role: &str) -> String {
        format!("refusals_{}_{role}", std::process::id())
    }

    fn sql(&self, what: &str) {
        let place = server("MARIADB");
        let (host, port) = place.trim_start_matches("mysql://root@").split_once(':').expect("host and port");
        let statement = format!("{what} {}", self.database("orders"));
        let mariadb = ["--no-defaults", "-h", host, "-P", port, "-u", "root", "-e", &statement];
        assert!(Command::new("mariadb").args(mariadb).status().expect("`mariadb` can be run").success(), "{statement}");
    }

    /// Runs a command with the configuration.
    fn run(&self, arguments: &[&str], variables: Variables<'_>) -> Finished {
        let config = self.path().join("cluster.toml");
        let arguments = [arguments, &["--config", config.to_str().expect("plain")]].concat();
        tokio::task::block_in_place(|| run_with(&arguments, variables, ""))
    }

    /// A process that does not start, and says all of this.
    fn refused(&self, roles: &str, variables: Variables<'_>, expected: &[&str]) -> String {
        let data = self.path().join("data");
        let data = data.to_str().expect("plain");
        let serve = ["serve", "--roles", roles, "--listen", "127.0.0.1:0", "--data", data];
        let finished = self.run(&serve, variables);
        let said = finished.said();
        assert_eq!(finished.code, Some(3), "{expected:?}: {said}");
        for text in expected {
            assert!(said.contains(text), "no `{text}` in: {said}");
        }
        said
    }

    fn serve(&self, roles: &str, address: SocketAddr, redis: &str) -> Child {
        let mut command = Command::new(program());
        command.args(["serve", "--roles", roles, "--listen", &address.to_string(), "--config"]);
        command.arg(self.path().join("cluster.toml")).arg("--data").arg(self.path().join("started"));
        command.env("FIRSTCOME_REDIS_SERVERS", redis).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the program can be started")
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.sql("DROP DATABASE");
    }
}

/// A Redis of this test's own.
struct OwnRedis {
    child: Child,
    address: SocketAddr,
}

impl OwnRedis {
    async fn start(arguments: &[&str]) -> Self {
        let address = free_address();
        let mut command = Command::new("redis-server");
        command.args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", ""]).args(arguments);
        let child = command.stdout(Stdio::null()).spawn().expect("redis-server can be run");
        let redis = Self { child, address };
        until("redis-server starts", SOON, async || std::net::TcpStream::connect(address).is_ok()).await;
        redis
    }

    fn url(&self, user: &str) -> String {
        format!("redis://{user}{}", self.address)
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after the wait.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
