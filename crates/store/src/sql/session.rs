//! One connection, whichever the engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firstcome_core::records::{Kind, Value};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::fault::Fault;
use super::options::{Address, Target};
use super::server::Server;
use super::value::{Param, mysql_arguments, mysql_row, postgres_arguments, postgres_row};

/// A connection that nobody used for this long is made anew: the server, or something between, may have closed it.
const STALE: Duration = Duration::from_secs(30);

enum Link {
    MySql(MySqlConnection),
    Postgres(PgConnection),
}

/// What a statement did.
pub(super) struct Effect {
    /// Rows that it touched.
    pub(super) rows: u64,
    /// What `LAST_INSERT_ID` was set to; MySQL only.
    pub(super) last_id: i64,
}

/// A connection with its statements.
///
/// A future of it that is dropped leaves it in the middle of something: whoever drops one must drop the session too.
pub(super) struct Session {
    link: Link,
    pub(super) server: Arc<Server>,
    used: Instant,
}

impl Session {
    /// Connects, learns what the server is, and greets it. Tells nothing of whether it is fit.
    pub(super) async fn connect(address: &Address, patience: Duration, timeout: Duration) -> Result<Self, Fault> {
        let connecting = Self::connect_now(address, timeout);
        let late = |_| Fault::Lost(format!("no connection within {patience:?}"));
        tokio::time::timeout(patience, connecting).await.map_err(late)?
    }

    async fn connect_now(address: &Address, timeout: Duration) -> Result<Self, Fault> {
        let name = address.name.clone();
        let (link, server) = match &address.target {
            Target::MySql(options) => {
                let mut link = options.connect().await?;
                let row = sqlx::query("SELECT VERSION(), CAST(@@max_allowed_packet AS SIGNED)")
                    .persistent(false)
                    .fetch_one(&mut link)
                    .await?;
                let server = Server::mysql(name, &row.try_get_unchecked::<String, _>(0)?, row.try_get_unchecked(1)?);
                (Link::MySql(link), server)
            }
            Target::Postgres(options) => {
                let mut link = options.connect().await?;
                let sql = "SELECT current_setting('server_version_num'), current_setting('server_encoding')";
                let row = sqlx::query(sql).persistent(false).fetch_one(&mut link).await?;
                let server = Server::postgres(name, &row.try_get_unchecked::<String, _>(0)?, row.try_get_unchecked(1)?);
                (Link::Postgres(link), server)
            }
        };
        let greeting = server.greeting(timeout);
        let mut session = Self { link, server: Arc::new(server), used: Instant::now() };
        session.plain(&greeting).await?;
        Ok(session)
    }

    /// Whether it was idle for so long that it may be gone.
    pub(super) fn is_stale(&self) -> bool {
        self.used.elapsed() > STALE
    }

    /// Runs statements without parameters in one round trip.
    pub(super) async fn plain(&mut self, sql: &str) -> Result<(), Fault> {
        self.used = Instant::now();
        let sql = AssertSqlSafe(sql.to_owned());
        match &mut self.link {
            Link::MySql(link) => sqlx::raw_sql(sql).execute(link).await.map(drop)?,
            Link::Postgres(link) => sqlx::raw_sql(sql).execute(link).await.map(drop)?,
        }
        Ok(())
    }

    /// Runs a statement that returns no rows.
    pub(super) async fn execute(&mut self, sql: &Arc<str>, params: &[Param<'_>]) -> Result<Effect, Fault> {
        self.used = Instant::now();
        let sql = AssertSqlSafe(Arc::clone(sql));
        Ok(match &mut self.link {
            Link::MySql(link) => {
                let done = sqlx::query_with(sql, mysql_arguments(params)?).execute(link).await?;
                Effect { rows: done.rows_affected(), last_id: done.last_insert_id() as i64 }
            }
            Link::Postgres(link) => {
                let done = sqlx::query_with(sql, postgres_arguments(params)?).execute(link).await?;
                Effect { rows: done.rows_affected(), last_id: 0 }
            }
        })
    }

    /// Runs a statement that returns rows with values of these kinds.
    pub(super) async fn rows(
        &mut self,
        sql: &Arc<str>,
        params: &[Param<'_>],
        kinds: &[Kind],
    ) -> Result<Vec<Vec<Value>>, Fault> {
        self.used = Instant::now();
        let sql = AssertSqlSafe(Arc::clone(sql));
        match &mut self.link {
            Link::MySql(link) => {
                let rows = sqlx::query_with(sql, mysql_arguments(params)?).fetch_all(link).await?;
                rows.iter().map(|row| mysql_row(row, kinds)).collect()
            }
            Link::Postgres(link) => {
                let rows = sqlx::query_with(sql, postgres_arguments(params)?).fetch_all(link).await?;
                rows.iter().map(|row| postgres_row(row, kinds)).collect()
            }
        }
    }

    /// Says good-bye, so that the server need not find out.
    pub(super) async fn close(self) {
        // It may be gone already.
        let _ = match self.link {
            Link::MySql(link) => link.close().await,
            Link::Postgres(link) => link.close().await,
        };
    }
}
