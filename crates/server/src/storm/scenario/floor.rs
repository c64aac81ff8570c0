//! The same request to the server that does nothing.

use std::net::SocketAddr;

use super::orders::Orders;
use crate::storm::drive::{Plan, Run, drive};
use crate::storm::progress::Progress;

/// Measures the floor at `address`; the buyers' tokens make its requests as long as the shop's. Always a closed loop: the floor is the
/// most there can be.
pub(crate) async fn run(address: SocketAddr, buyers: &[String], plan: Plan, progress: &Progress) -> Run {
    let work = Orders::by(address, buyers, "ofr_01h455vb4pex5vsknk084sn02q");
    drive(work, address, Plan { rate: None, ..plan }, progress).await
}
