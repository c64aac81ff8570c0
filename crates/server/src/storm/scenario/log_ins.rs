//! A sale while other people sign up and log in. Passwords are slow to hash on purpose; whoever is buying must not feel it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::orders::keys;
use super::visitor::visit;
use super::{Round, accepted};
use crate::storm::StormError;
use crate::storm::client::{ClientError, Connection};
use crate::storm::drive::{Plan, Work, drive};
use crate::storm::progress::Progress;
use crate::storm::shop::Shop;
use crate::storm::tally::Tally;

/// Whoever was refused comes again after so long.
const COMES_AGAIN: Duration = Duration::from_secs(1);
/// How much longer than the sale people come.
const LONGER: Duration = Duration::from_secs(1);

/// People who come to sign up and log in.
struct Visitors {
    /// Tells their addresses from those of another round.
    round: u128,
    /// Those who came to their end so far.
    came: Rc<Cell<u64>>,
}

impl Work for Visitors {
    async fn once(&self, connection: &mut Connection, number: u64, tally: &RefCell<Tally>) -> Result<(), ClientError> {
        let email = format!("storm-{:x}-{number}@load.example", self.round);
        match visit(connection, &email).await? {
            Ok(()) => {
                tally.borrow_mut().ok += 1;
                self.came.set(self.came.get() + 1);
            }
            Err(answer) if answer.status >= 500 && answer.status != 503 => {
                tally.borrow_mut().error(&format!("status {}: {}", answer.status, answer.body));
            }
            Err(answer) => {
                tally.borrow_mut().refuse_as(&answer.code());
                sleep(COMES_AGAIN).await;
            }
        }
        Ok(())
    }
}

/// Measures one round: the orders, while there are visitors.
pub(super) async fn round(shop: &Shop, plan: Plan, progress: &Progress) -> Result<Round, StormError> {
    let came = Rc::new(Cell::new(0));
    let visitors = Visitors { round: keys() >> 40, came: Rc::clone(&came) };
    let sale = async { accepted::round(shop, plan, progress).await.map(|round| (round, came.get())) };
    let plan_of_crowd = Plan { duration: plan.duration + LONGER, limit: u64::MAX, rate: None, ..plan };
    let (sale, crowd) = tokio::join!(sale, drive(visitors, shop.address, plan_of_crowd, progress));
    let ((round, meanwhile), tally) = (sale?, crowd.tally);
    if tally.errors > 0 {
        return Err(StormError::Shop(format!("people could not sign up: {}", tally.error_words.join("; "))));
    }
    let came = format!("{meanwhile} people signed up and logged in meanwhile, {} with those who came late", tally.ok);
    let refused: Vec<String> = tally.refused.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let note = if refused.is_empty() { came } else { format!("{came}; refused: {}", refused.join(", ")) };
    Ok(Round { note: Some(note), ..round })
}
