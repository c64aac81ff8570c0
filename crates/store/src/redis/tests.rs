//! Against a real Redis; see `scripts/servers`.

use std::time::Duration;

use firstcome_core::ids::{OfferNumber, SessionId};
use firstcome_core::ports::{PortError, SessionMarks as _, SharedLimits as _, Taken};
use firstcome_core::time::Time;

use super::limits::RedisLimits;
use super::nodes::Nodes;
use super::registry::RedisRegistry;
use super::sessions::RedisSessions;
use super::turns::RedisTurns;
use super::{Redis, RedisOptions};

const OFFER: OfferNumber = OfferNumber(7);
/// Long enough that no turn ends by itself on a busy machine.
const LONG: Duration = Duration::from_mins(1);

fn redis(servers: Vec<String>, cluster: bool) -> Redis {
    let prefix = format!("test-{:x}", rand());
    Redis::new(RedisOptions { servers, cluster, prefix, patience: Duration::from_secs(5) }).expect("an address")
}

/// Another number in every test and run.
fn rand() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish()
}

fn server() -> String {
    std::env::var("FIRSTCOME_TEST_REDIS").expect("FIRSTCOME_TEST_REDIS, as scripts/servers prints it")
}

#[tokio::test]
async fn lanes_take_turns_in_the_order_in_which_they_asked() {
    let redis = redis(vec![server()], false);
    let [one, two, three] = ["one", "two", "three"].map(|lane| RedisTurns::new(redis.clone(), lane, LONG));
    assert_eq!(one.ask(OFFER).await.unwrap(), 0);
    assert_eq!(one.ask(OFFER).await.unwrap(), 0, "its turn lasts");
    assert_eq!(two.ask(OFFER).await.unwrap(), 1);
    assert_eq!(three.ask(OFFER).await.unwrap(), 2);
    assert_eq!(three.ask(OfferNumber(8)).await.unwrap(), 0, "another offer is another matter");
    assert_eq!(two.end(OFFER).await.unwrap(), 2, "nobody ends the turn of another");
    assert_eq!(two.ask(OFFER).await.unwrap(), 1);
    assert_eq!(three.ask(OFFER).await.unwrap(), 2);
    one.end(OFFER).await.unwrap();
    assert_eq!(three.ask(OFFER).await.unwrap(), 1, "the one that asked before comes first");
    assert_eq!(two.ask(OFFER).await.unwrap(), 0);
}

#[tokio::test]
async fn who_no_longer_asks_is_passed_over() {
    let redis = redis(vec![server()], false);
    let [one, two, three] = ["one", "two", "three"].map(|lane| RedisTurns::new(redis.clone(), lane, LONG));
    assert_eq!(one.ask(OFFER).await.unwrap(), 0);
    assert!(two.ask(OFFER).await.unwrap() > 0);
    tokio::time::sleep(super::turns::SILENT * 2).await;
    one.end(OFFER).await.unwrap();
    assert_eq!(three.ask(OFFER).await.unwrap(), 0);
}

#[tokio::test]
async fn an_emptied_redis_has_the_functions_again() {
    let redis = redis(vec![server()], false);
    let lane = RedisTurns::new(redis.clone(), "one", LONG);
    assert_eq!(lane.ask(OFFER).await.unwrap(), 0);
    let mut flush = redis::cmd("FUNCTION");
    flush.arg("FLUSH");
    redis.query::<redis::Value>(&flush).await.unwrap();
    assert_eq!(lane.ask(OFFER).await.unwrap(), 0);
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_unavailable() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let redis = redis(vec![format!("redis://user:secret@{nobody}")], false);
    let answer = RedisTurns::new(redis, "one", LONG).ask(OFFER).await;
    assert!(matches!(&answer, Err(PortError::Unavailable(reason)) if !reason.contains("secret")), "{answer:?}");
}

/// Three masters; each offer's keys are on one of them, and the functions on all.
#[tokio::test]
async fn turns_on_a_redis_cluster() {
    let nodes = Nodes::start();
    let redis = redis(nodes.urls(), true);
    let [one, two] = ["one", "two"].map(|lane| RedisTurns::new(redis.clone(), lane, LONG));
    for number in 1..=50 {
        let offer = OfferNumber(number);
        assert_eq!(one.ask(offer).await.unwrap(), 0);
        assert_eq!(two.ask(offer).await.unwrap(), 1);
        one.end(offer).await.unwrap();
        assert_eq!(two.ask(offer).await.unwrap(), 0);
    }
}

async fn registry_on(redis: Redis) {
    let expiry = Duration::from_secs(2);
    let registry = RedisRegistry::new(redis, expiry);
    let pass = async |time| tokio::time::sleep(time).await;
    firstcome_core::testkit::registry::check(&registry, pass, expiry).await;
}

#[tokio::test]
async fn registry() {
    registry_on(redis(vec![server()], false)).await;
}

#[tokio::test]
async fn registry_on_a_redis_cluster() {
    let nodes = Nodes::start();
    registry_on(redis(nodes.urls(), true)).await;
}

#[tokio::test]
async fn log_outs_are_told_to_all() {
    let redis = redis(vec![server()], false);
    let [one, two] = [RedisSessions(redis.clone()), RedisSessions(redis)];
    let (nothing, begin) = two.marked(0).await.unwrap();
    assert_eq!(nothing, []);
    one.mark(SessionId([1; 16]), Time(77)).await.unwrap();
    let (ended, after) = two.marked(begin).await.unwrap();
    assert_eq!(ended, [(SessionId([1; 16]), Time(77))]);
    assert!(after > begin);
    one.mark(SessionId([2; 16]), Time(78)).await.unwrap();
    assert!(two.marked(after).await.unwrap().0.contains(&(SessionId([2; 16]), Time(78))));
}

fn taken(key: &str, tokens: u32) -> Taken {
    Taken { key: key.to_owned(), tokens, per_second: 1, burst: 10 }
}

async fn limits_on(redis: Redis) {
    let [one, two] = [RedisLimits(redis.clone()), RedisLimits(redis)];
    let zero = Duration::ZERO;
    assert_eq!(one.take(&[taken("a", 9), taken("b", 1)]).await.unwrap(), [zero, zero]);
    assert_eq!(two.take(&[taken("b", 1), taken("c", 1)]).await.unwrap(), [zero, zero], "each has its own");
    let waits = two.take(&[taken("c", 1), taken("a", 4)]).await.unwrap();
    assert!(waits[0] == zero && waits[1] > Duration::from_millis(500), "13 of 10 in all: {waits:?}");
    let wait = one.take(&[taken("a", 1_000)]).await.unwrap()[0];
    assert!(wait <= Duration::from_secs(10), "nobody is locked out for long: {wait:?}");
    let many: Vec<Taken> = (0..1_000).map(|number| taken(&format!("user-{number}"), 1)).collect();
    assert_eq!(one.take(&many).await.unwrap(), vec![zero; 1_000]);
}

#[tokio::test]
async fn limits_are_shared() {
    limits_on(redis(vec![server()], false)).await;
}

#[tokio::test]
async fn limits_are_shared_on_a_redis_cluster() {
    let nodes = Nodes::start();
    limits_on(redis(nodes.urls(), true)).await;
}
