//! The shop under load: started, stocked and given buyers, or found running.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use super::arguments::LoadOptions;
use super::child::{self, Server};
use super::client::Connection;
use super::client::json::{Answer, Call};
use super::{StormError, machine};

/// The seller of a shop of our own.
const SELLER: &str = "storm-seller@example.com";
const SELLER_PASSWORD: &str = "a storm is coming, close the hatches";
/// How long a shop may take until it is ready.
const READY: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Looks in a row at which no row may be missing.
const QUIET: u32 = 5;
/// How long order rows may take to be written after the last answer.
const ROWS: Duration = Duration::from_secs(120);

/// Where the data lies.
#[derive(Debug)]
enum Data {
    Temporary(TempDir),
    Given(PathBuf),
}

/// A shop that answers.
#[derive(Debug)]
pub(crate) struct Shop {
    /// Where.
    pub(crate) address: SocketAddr,
    /// Its buyers' access tokens.
    pub(crate) buyers: Rc<[String]>,
    /// Bytes in memory before anyone came.
    pub(crate) idle: Option<u64>,
    seller: String,
    server: Option<Server>,
    data: Option<Data>,
}

/// What to put on sale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offering {
    /// Units.
    pub(crate) stock: u64,
    /// Units per person.
    pub(crate) limit_per_person: Option<u32>,
    /// Seconds that a hold lasts.
    pub(crate) hold_for_seconds: u32,
    /// From now until it opens; none when it is open.
    pub(crate) opens_in: Option<Duration>,
}

/// The price of a unit, in won.
pub(crate) const PRICE: i64 = 50_000;

impl Shop {
    /// A shop of our own, or the one that was named.
    pub(crate) async fn open(options: &LoadOptions) -> Result<Self, StormError> {
        let shop = match &options.target {
            Some(target) => Self {
                address: target.address,
                buyers: target.buyers.clone().into(),
                idle: None,
                seller: target.seller.clone(),
                server: None,
                data: options.data.clone().map(Data::Given),
            },
            None => Self::start(data_folder(options.data.as_deref())?, options.buyers).await?,
        };
        shop.greet_buyers().await?;
        Ok(shop)
    }

    /// Starts a shop on `data`.
    async fn start(data: Data, buyers: u32) -> Result<Self, StormError> {
        let folder = data.path().to_string_lossy().into_owned();
        let folder = folder.as_str();
        let server = Server::start(&["serve", "--data", folder, "--listen", "127.0.0.1:0", "--no-demo"]).await?;
        let mut connection = Connection::new(server.address);
        ready(&mut connection).await?;
        let idle = server.pid().and_then(machine::memory).map(|memory| memory.resident);
        let add = ["account", "add", "--role", "seller", "--email", SELLER, "--password-stdin", "--data", folder];
        child::printed(&add, Some(SELLER_PASSWORD)).await?;
        let login = json!({ "email": SELLER, "password": SELLER_PASSWORD });
        let answer = Call::post("/api/v1/auth/login", &login).send(&mut connection).await?;
        let seller = answer.text("access_token").ok_or_else(|| StormError::answer("logging the seller in", &answer))?;
        let buyers = new_buyers(folder, buyers.into()).await?;
        let address = server.address;
        let seller = seller.to_owned();
        Ok(Self { address, buyers, idle, seller, server: Some(server), data: Some(data) })
    }

    /// Shows the shop every token once, as browsing before the opening would.
    async fn greet_buyers(&self) -> Result<(), StormError> {
        let mut connection = Connection::new(self.address);
        for token in &*self.buyers {
            let answer = Call::get("/api/v1/orders?limit=1").by(token).send(&mut connection).await?;
            if answer.status != 200 {
                return Err(StormError::answer("reading a buyer's orders", &answer));
            }
        }
        Ok(())
    }

    /// Puts a gift card on sale and gives the offer's id.
    pub(crate) async fn sell(&self, offering: Offering) -> Result<String, StormError> {
        let price = json!({ "amount": PRICE, "currency": "KRW" });
        let product = json!({ "kind": "gift_card", "name": "Storm gift card", "face_value": price });
        let created = self.seller_posts("/api/v1/admin/products", &product).await?;
        let product_id =
            created.text("product_id").ok_or_else(|| StormError::answer("creating a product", &created))?;
        let mut offer = json!({
            "product_id": product_id,
            "price": price,
            "stock": offering.stock,
            "hold_for_seconds": offering.hold_for_seconds,
        });
        if let Some(limit) = offering.limit_per_person {
            offer["limit_per_person"] = limit.into();
        }
        if let Some(wait) = offering.opens_in {
            offer["opens_at"] = (jiff::Timestamp::now() + wait).to_string().into();
        }
        let created = self.seller_posts("/api/v1/admin/offers", &offer).await?;
        let offer = created.text("offer_id").ok_or_else(|| StormError::answer("creating an offer", &created))?;
        Ok(offer.to_owned())
    }

    /// Ends an offer.
    pub(crate) async fn close_offer(&self, offer: &str) -> Result<(), StormError> {
        let answer = self.seller_posts(&format!("/api/v1/admin/offers/{offer}/close"), &json!({})).await?;
        if answer.status < 300 { Ok(()) } else { Err(StormError::answer("closing the offer", &answer)) }
    }

    /// So many buyers who have bought nothing yet; of a shop that is not ours, those that were named.
    pub(crate) async fn more_buyers(&self, count: u64) -> Result<Rc<[String]>, StormError> {
        match (&self.server, &self.data) {
            (Some(_), Some(data)) => new_buyers(&data.path().to_string_lossy(), count).await,
            _ => Ok(Rc::clone(&self.buyers)),
        }
    }

    async fn seller_posts(&self, path: &str, body: &Value) -> Result<Answer, StormError> {
        let mut connection = Connection::new(self.address);
        Ok(Call::post(path, body).by(&self.seller).send(&mut connection).await?)
    }

    /// Waits until every order has its row and gives the moment when that was first seen; none when the shop does not tell.
    pub(crate) async fn rows_written(&self) -> Result<Option<Instant>, StormError> {
        let mut connection = Connection::new(self.address);
        let start = Instant::now();
        let mut seen = None;
        let mut looks = 0;
        loop {
            super::client::request::get(connection.request(), self.address, "/metrics", None);
            let response = connection.send().await?;
            match lag(response.body) {
                None => return Ok(None),
                Some(0) => {
                    seen.get_or_insert_with(Instant::now);
                    looks += 1;
                }
                Some(lag) if start.elapsed() > ROWS => {
                    return Err(StormError::Shop(format!("{lag} orders have no row after {} s", ROWS.as_secs())));
                }
                Some(_) => (seen, looks) = (None, 0),
            }
            // Entries that nobody has begun to look at are not in the lag yet: it must stay at nothing for a while.
            if looks == QUIET {
                return Ok(seen);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The process id of a shop of our own.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.server.as_ref().and_then(Server::pid)
    }

    /// Where its data lies.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.data.as_ref().map(Data::path)
    }

    /// Stops a shop of our own; its data stays until this is dropped.
    pub(crate) async fn close(&mut self) -> Result<(), StormError> {
        match self.server.take() {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }
}

impl Data {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Given(folder) => folder,
        }
    }
}

/// The folder for a shop of our own, on a disk.
fn data_folder(given: Option<&Path>) -> Result<Data, StormError> {
    let data = if let Some(folder) = given {
        std::fs::create_dir_all(folder)?;
        if std::fs::read_dir(folder)?.next().is_some() {
            let why = "is not empty; a storm fills books of its own, so name an empty or a new folder";
            return Err(StormError::Usage(format!("--data {}: it {why}", folder.display())));
        }
        Data::Given(folder.to_owned())
    } else {
        std::fs::create_dir_all("target")?;
        Data::Temporary(tempfile::Builder::new().prefix("storm-").tempdir_in("target")?)
    };
    match machine::file_system(data.path()) {
        Some(kind) if machine::is_memory(&kind) => {
            let why = format!(
                "is on {kind}, where a sync costs nothing and keeps nothing; name a folder on a disk with --data"
            );
            Err(StormError::Usage(format!("{} {why}", data.path().display())))
        }
        _ => Ok(data),
    }
}

/// Signs buyers up and gives their tokens.
async fn new_buyers(folder: &str, count: u64) -> Result<Rc<[String]>, StormError> {
    let tokens = child::printed(&["dev", "tokens", "--count", &count.to_string(), "--data", folder], None).await?;
    Ok(tokens.split_whitespace().map(ToOwned::to_owned).collect())
}

async fn ready(connection: &mut Connection) -> Result<(), StormError> {
    let start = Instant::now();
    loop {
        match Call::get("/readyz").send(connection).await {
            Ok(answer) if answer.status == 200 => return Ok(()),
            Ok(answer) if start.elapsed() > READY => return Err(StormError::answer("waiting for /readyz", &answer)),
            Err(error) if start.elapsed() > READY => return Err(error.into()),
            _ => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

/// Journal entries without their rows yet, from the metrics' text.
fn lag(metrics: &[u8]) -> Option<u64> {
    const NAME: &str = "firstcome_orders_projection_lag_entries";
    let text = std::str::from_utf8(metrics).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(NAME))?;
    value.split_whitespace().last()?.parse::<f64>().ok().map(|lag| lag.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_lag_from_metrics() {
        let text =
            "# HELP firstcome_orders_projection_lag_entries x\nfirstcome_orders_projection_lag_entries 12\n# EOF\n";
        assert_eq!(lag(text.as_bytes()), Some(12));
        assert_eq!(lag(b"other 1\n"), None);
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("books"), "mine").expect("written");
        assert!(matches!(data_folder(Some(folder.path())), Err(StormError::Usage(_))));
    }
}
