//! The promises of the port on real servers. `scripts/servers` starts them and names them in the environment.

mod conformance;
mod database;
mod relayed;
