//! A shop of our own: started, given a seller and buyers, stopped, and started again on the same data.

use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::data::Data;
use super::{Shop, people};
use crate::storm::client::Connection;
use crate::storm::client::json::Call;
use crate::storm::server::Server;
use crate::storm::{StormError, child, machine};

/// The seller of a shop of our own.
const SELLER: &str = "storm-seller@example.com";
const SELLER_PASSWORD: &str = "a storm is coming, close the hatches";
/// How long a shop with empty books may take until it listens, and from then on until it is ready.
pub(super) const START: Duration = Duration::from_secs(60);
const READY: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Starts a shop on empty data.
pub(super) async fn start(data: Data, buyers: u32) -> Result<Shop, StormError> {
    let server = serve(&data, START).await?;
    let idle = server.pid().and_then(machine::memory).map(|memory| memory.resident);
    let folder = data.path().to_string_lossy().into_owned();
    let add = ["account", "add", "--role", "seller", "--email", SELLER, "--password-stdin", "--data", &folder];
    child::printed(&add, Some(SELLER_PASSWORD)).await?;
    let seller = log_in(&server).await?;
    let buyers = people::new_people(&data, "buyer", buyers.into()).await?;
    let merchants = Rc::default();
    Ok(Shop { address: server.address, buyers, idle, seller, merchants, server: Some(server), data: Some(data) })
}

impl Shop {
    /// Stops a shop of our own; its data stays until this is dropped.
    pub(crate) async fn close(&mut self) -> Result<(), StormError> {
        match self.server.take() {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    /// Starts a shop of our own that was closed, on the same data, and gives how long it took until it was ready.
    pub(crate) async fn start_again(&mut self, patience: Duration) -> Result<Duration, StormError> {
        let Some(data) = &self.data else { return Ok(Duration::ZERO) };
        let start = Instant::now();
        let server = serve(data, patience).await?;
        let took = start.elapsed();
        self.address = server.address;
        self.seller = log_in(&server).await?;
        self.server = Some(server);
        Ok(took)
    }
}

/// Starts the program and waits until it is ready.
async fn serve(data: &Data, patience: Duration) -> Result<Server, StormError> {
    let folder = data.path().to_string_lossy();
    let mut server =
        Server::start(&["serve", "--data", &folder, "--listen", "127.0.0.1:0", "--no-demo"], patience).await?;
    let mut connection = Connection::new(server.address);
    let start = Instant::now();
    loop {
        match Call::get("/readyz").send(&mut connection).await {
            Ok(answer) if answer.status == 200 => return Ok(server),
            Ok(answer) if start.elapsed() > READY => return Err(StormError::answer("waiting for /readyz", &answer)),
            Err(error) if start.elapsed() > READY => return Err(error.into()),
            _ => server.check().await?,
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn log_in(server: &Server) -> Result<String, StormError> {
    let login = json!({ "email": SELLER, "password": SELLER_PASSWORD });
    let answer = Call::post("/api/v1/auth/login", &login).send(&mut Connection::new(server.address)).await?;
    let token = answer.text("access_token").ok_or_else(|| StormError::answer("logging the seller in", &answer))?;
    Ok(token.to_owned())
}
