//! Processes and servers that die, stop, forget, or come back as they were before.

use std::process::Command;

use super::Running;

/// Processes that are killed at random; the gateway is the buyers' only door, so it stays.
const ROLES: [&str; 8] =
    ["accounts-1", "catalog-1", "orders-1", "orders-2", "payments-1", "payments-2", "vouchers-1", "notices-1"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_killed_in_mid_sale() {
    let mut running = Running::start("roles_are_killed_in_mid_sale").await;
    for round in 1..=12 {
        let name = *running.random.pick(&ROLES);
        let pause = running.random.below(1_500);
        running.go_on(300 + pause).await;
        running.control(&["kill", name]);
        // Sometimes it is back before the others know that it is gone.
        let pause = running.random.below(3_000);
        running.go_on(pause).await;
        running.control(&["start", name]);
        if round % 4 == 0 {
            running.sale.refresh_staff().await;
        }
    }
    running.recover("the last kill").await;
    running.end(12).await;
}

/// Redis is emptied, loses its file, comes back as it was before, and is two at once. Nobody is refused for it: what Redis
/// knows is advice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_forgets_and_is_two_in_mid_sale() {
    let mut running = Running::start("redis_forgets_and_is_two_in_mid_sale").await;
    running.go_on(1_500).await;
    redis_forgets(&running).await;
    redis_is_two(&mut running).await;
    running.end(16).await;
}

async fn redis_forgets(running: &Running) {
    for _ in 0..3 {
        redis(running, "redis", &["FLUSHALL"]);
        redis(running, "redis", &["FUNCTION", "FLUSH"]);
        running.recover("Redis was emptied").await;
        running.go_on(500).await;
    }

    let (files, older) = (running.cluster.data().join("servers/redis/data"), running.cluster.data().join("older"));
    redis(running, "redis", &["BGREWRITEAOF"]);
    running.go_on(1_000).await;
    copy(&files, &older);
    running.go_on(2_000).await;
    running.control(&["kill", "redis"]);
    running.recover("Redis was killed").await;
    remove(&files);
    copy(&older, &files);
    running.control(&["start", "redis"]);
    running.recover("Redis came back as it was before").await;

    running.control(&["kill", "redis"]);
    remove(&files);
    std::fs::create_dir_all(&files).expect("a folder");
    running.control(&["start", "redis"]);
    running.recover("Redis came back without its file").await;
}

/// A split: half of the processes talk to another Redis that believes to be the only one.
async fn redis_is_two(running: &mut Running) {
    let other = Other::start(running);
    running.go_on(1_000).await;
    running.cluster.environment = vec![("FIRSTCOME_REDIS_SERVERS".into(), other.url.clone().into())];
    for name in ["orders-2", "payments-2"] {
        running.control(&["stop", name]);
        // The gateway does not see who registers elsewhere, but both are asked: payments finds its notices, timers expire
        // holds, consumers go on.
        running.control(&["start", name]);
    }
    running.go_on(4_000).await;
    running.cluster.environment.clear();
    for name in ["orders-2", "payments-2"] {
        running.control(&["kill", name]);
        running.control(&["start", name]);
    }
    running.recover("the split was over").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_stops_in_mid_sale() {
    let running = Running::start("kafka_stops_in_mid_sale").await;
    running.go_on(2_000).await;
    running.control(&["stop", "kafka"]);
    running.go_on(STOPPED).await;
    running.control(&["start", "kafka"]);
    running.recover("Kafka was back").await;
    running.go_on(2_000).await;
    // Frozen is worse than gone: connections stay and nobody answers.
    running.cluster.signal("kafka", "STOP");
    running.go_on(6_000).await;
    running.cluster.signal("kafka", "CONT");
    running.recover("Kafka went on").await;
    running.go_on(2_000).await;
    running.end(8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_stop_in_mid_sale() {
    let running = Running::start("databases_stop_in_mid_sale").await;
    // The sandbox keeps its books in the same MariaDB, and says so as the real provider would.
    running.sale.let_disk_fail(true);
    running.go_on(2_000).await;
    running.control(&["stop", "mariadb"]);
    // Placing orders needs no database.
    running.recover("MariaDB was stopped").await;
    running.go_on(STOPPED).await;
    running.control(&["start", "mariadb"]);
    running.recover("MariaDB was back").await;
    running.sale.refresh_staff().await;
    running.control(&["kill", "postgres"]);
    running.go_on(3_000).await;
    running.control(&["start", "postgres"]);
    running.recover("PostgreSQL was back").await;
    running.go_on(2_000).await;
    running.end(8).await;
}

/// How long a server stays away, in milliseconds.
const STOPPED: u64 = 30_000;

fn redis(running: &Running, name: &str, command: &[&str]) {
    let port = running.cluster.port(name).to_string();
    let done = Command::new("redis-cli").args(["-p", &port]).args(command).output().expect("redis-cli can be run");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && !said.contains("ERR"), "{command:?}: {said}");
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("`cp` can be run");
    assert!(done.success(), "{} cannot be copied", from.display());
}

fn remove(folder: &std::path::Path) {
    std::fs::remove_dir_all(folder).expect("a folder of this test");
}

/// A Redis beside the cluster's.
struct Other {
    child: std::process::Child,
    url: String,
}

impl Other {
    fn start(running: &Running) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(running.cluster.data())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("redis-server can be run");
        Self { child, url: format!("redis://127.0.0.1:{port}") }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after the wait.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
