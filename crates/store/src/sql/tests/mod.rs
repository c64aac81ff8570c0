//! The promises of the port on real servers. `scripts/servers` starts them and names them in the environment.

mod conformance;
mod database;
mod limits;
mod outbox;
mod processes;
mod random;
mod relayed;
mod running;
mod schema;

/// Makes a test of each function for each engine.
macro_rules! on_both_engines {
    ($($name:ident)*) => {
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name::<crate::sql::tests::database::MariaDb>().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name::<crate::sql::tests::database::Postgres>().await;
            })*
        }
    };
}
use on_both_engines;
