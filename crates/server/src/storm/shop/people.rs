//! The people of a shop: buyers and merchants.

use std::rc::Rc;

use firstcome_core::ids::UserId;

use super::Shop;
use super::data::Data;
use crate::storm::client::Connection;
use crate::storm::client::json::{Answer, Call};
use crate::storm::{StormError, child};

/// Tills of a shop of our own.
const MERCHANTS: u64 = 8;

impl Shop {
    /// So many buyers who have bought nothing yet; of a shop that is not ours, those that were named.
    pub(crate) async fn more_buyers(&self, count: u64) -> Result<Rc<[String]>, StormError> {
        match (&self.server, &self.data) {
            (Some(_), Some(data)) => new_people(data, "buyer", count).await,
            _ => Ok(Rc::clone(&self.buyers)),
        }
    }

    /// So many buyers who have bought nothing yet and whom the shop has seen.
    pub(crate) async fn crowd(&self, count: u64) -> Result<Rc<[String]>, StormError> {
        let buyers = self.more_buyers(count).await?;
        self.greet(&buyers).await?;
        Ok(buyers)
    }

    /// Those who redeem vouchers.
    pub(crate) async fn merchants(&self) -> Result<Rc<[String]>, StormError> {
        let merchants = match (&self.server, &self.data) {
            (Some(_), Some(data)) => new_people(data, "merchant", MERCHANTS).await?,
            _ => Rc::clone(&self.merchants),
        };
        self.greet(&merchants).await?;
        Ok(merchants)
    }

    /// Shows the shop every token once, as browsing before the opening would.
    pub(crate) async fn greet(&self, people: &[String]) -> Result<(), StormError> {
        let mut connection = Connection::new(self.address);
        for token in people {
            self.reads(&mut connection, token, "/api/v1/orders?limit=1").await?;
        }
        Ok(())
    }

    /// Who the buyers are.
    pub(crate) async fn buyer_ids(&self) -> Result<Vec<UserId>, StormError> {
        let mut connection = Connection::new(self.address);
        let mut ids = Vec::with_capacity(self.buyers.len());
        for token in &*self.buyers {
            let me = self.reads(&mut connection, token, "/api/v1/me").await?;
            let id = me.text("user_id").and_then(|id| id.parse().ok());
            ids.push(id.ok_or_else(|| StormError::answer("asking who a buyer is", &me))?);
        }
        Ok(ids)
    }

    /// What somebody reads of what is theirs.
    async fn reads(&self, connection: &mut Connection, token: &str, path: &str) -> Result<Answer, StormError> {
        let answer = Call::get(path).by(token).send(connection).await.map_err(|error| {
            StormError::Shop(format!("no shop answers at http://{}: {error}; is it running there?", self.address))
        })?;
        if answer.status == 401 && self.server.is_none() {
            let why = "the shop does not take a token of --tokens or --merchant-tokens; make new ones with \
                       `firstcome dev tokens` on its data";
            return Err(StormError::Usage(why.to_owned()));
        }
        if answer.status == 200 { Ok(answer) } else { Err(StormError::answer(&format!("reading {path}"), &answer)) }
    }
}

/// Signs people up who have this role, and gives their tokens.
pub(super) async fn new_people(data: &Data, role: &str, count: u64) -> Result<Rc<[String]>, StormError> {
    let (count, folder) = (count.to_string(), data.path().to_string_lossy());
    let arguments = ["dev", "tokens", "--count", &count, "--role", role, "--data", &folder];
    let tokens = child::printed(&arguments, None).await?;
    Ok(tokens.split_whitespace().map(ToOwned::to_owned).collect())
}
