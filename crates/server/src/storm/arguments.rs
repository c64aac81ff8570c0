//! The command line of `firstcome storm`.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::StormError;
use super::drive::Plan;

/// A sale under load: how fast this machine sells, how near that is to the least a server can cost, and whether the books are right.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct StormArguments {
    /// What to do to the shop, one after the other
    #[arg(value_name = "SCENARIO", default_values = ["accepted", "sold-out", "purchase"])]
    scenarios: Vec<Scenario>,
    /// Connections, each with one request at a time
    #[arg(long, short, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Seconds that each measurement lasts
    #[arg(long, short, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=3600))]
    seconds: u16,
    /// Stop each measurement after so many requests
    #[arg(long, short = 'n', default_value_t = 10_000_000)]
    requests: u64,
    /// Times that each scenario is measured, each between two measurements of the floor
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: u8,
    /// Arrivals per second, whether the shop keeps up or not (open loop); without it every connection asks again as soon as it was answered
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Buyers who take part
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    buyers: u32,
    /// Units on sale in `mixed`; five times as many visitors want one, and all come within a second unless --rate says otherwise
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    stock: u32,
    /// Folder for the shop's data, on a disk that counts; without it a temporary one under `target`, removed at the end.
    /// With --target: the data folder of that shop, for the audit
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A shop that runs already, instead of one of its own
    #[arg(long, value_name = "URL", requires = "tokens", requires = "seller_token")]
    target: Option<String>,
    /// File with a buyer's access token on each line, from `firstcome dev tokens`
    #[arg(long, value_name = "FILE", requires = "target")]
    tokens: Option<PathBuf>,
    /// File with a seller's access token, to put the offers on sale
    #[arg(long, value_name = "FILE", requires = "target")]
    seller_token: Option<PathBuf>,
    /// Allow a target on another machine. It must be yours: this is a load tool
    #[arg(long, requires = "target")]
    allow_remote: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Serve the floor and nothing else
    #[arg(long, hide = true, exclusive = true)]
    floor_server: bool,
}

const EXAMPLES: &str = "\
Examples:
  firstcome storm                          how fast is this machine, and are the books right afterwards?
  firstcome storm accepted -c 256          the opening second with 256 connections
  firstcome storm sold-out --rate 20000    20,000 arrivals a second at a sold-out offer; latency from when they meant to arrive
  firstcome storm mixed --stock 500        rehearse a sale with late payers, decliners, people who walk away and a failing provider

The shop under load is a child process with data of its own; nothing of yours is touched. The floor is a bare server that reads the
same request and answers without doing anything; a ratio of 0.5 means that the shop does everything it promises at half that rate.
Ratios compare from machine to machine, requests per second do not.

Ends with `firstcome audit` over the shop's books. Exit code 0 only when the audit agrees and something succeeded.";

/// What is done to the shop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Scenario {
    /// Orders that get their unit; the clock stops when the last order's row is written
    Accepted,
    /// Orders that find everything sold
    SoldOut,
    /// Whole purchases: order, pay at the sandbox, until the voucher can be read
    Purchase,
    /// A rehearsal: open-loop arrivals, late payers, decliners, walk-aways and provider faults; then everything is read back
    Mixed,
}

impl Scenario {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::SoldOut => "sold-out",
            Self::Purchase => "purchase",
            Self::Mixed => "mixed",
        }
    }
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// A shop that runs already.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Where.
    pub(crate) address: SocketAddr,
    /// Its buyers' tokens.
    pub(crate) buyers: Vec<String>,
    /// Its seller's token.
    pub(crate) seller: String,
}

/// What to do, checked.
#[derive(Clone, Debug)]
pub enum StormOptions {
    /// Be the floor.
    FloorServer,
    /// Put a shop under load.
    Load(LoadOptions),
}

/// How to put a shop under load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) plan: Plan,
    pub(crate) rounds: u8,
    pub(crate) buyers: u32,
    pub(crate) stock: u32,
    pub(crate) data: Option<PathBuf>,
    pub(crate) target: Option<Target>,
    pub(crate) format: Format,
}

impl TryFrom<StormArguments> for StormOptions {
    type Error = StormError;

    fn try_from(arguments: StormArguments) -> Result<Self, StormError> {
        if arguments.floor_server {
            return Ok(Self::FloorServer);
        }
        let target = match (&arguments.target, &arguments.tokens, &arguments.seller_token) {
            (Some(url), Some(tokens), Some(seller)) => Some(Target {
                address: address_of(url, arguments.allow_remote)?,
                buyers: words_of(tokens)?,
                seller: words_of(seller)?.swap_remove(0),
            }),
            _ => None,
        };
        let plan = Plan {
            connections: arguments.connections.into(),
            duration: Duration::from_secs(arguments.seconds.into()),
            limit: arguments.requests,
            rate: arguments.rate.map(f64::from),
        };
        Ok(Self::Load(LoadOptions {
            scenarios: arguments.scenarios,
            plan,
            rounds: arguments.rounds,
            buyers: arguments.buyers,
            stock: arguments.stock,
            data: arguments.data,
            target,
            format: arguments.format,
        }))
    }
}

/// The address of a target's URL; on another machine only when that is allowed.
fn address_of(url: &str, allow_remote: bool) -> Result<SocketAddr, StormError> {
    let usage = |why: &str| StormError::Usage(format!("--target {url}: {why}"));
    let host = url.strip_prefix("http://").ok_or_else(|| usage("give it as http://HOST:PORT"))?;
    let host = host.trim_end_matches('/');
    let mut addresses =
        host.to_socket_addrs().map_err(|error| usage(&format!("{error}; give it as http://HOST:PORT")))?;
    let address = addresses.next().ok_or_else(|| usage("it has no address"))?;
    if address.ip().is_loopback() || allow_remote {
        return Ok(address);
    }
    Err(usage(
        "that is another machine. Putting a stranger's server under load is an attack; if it is yours, add --allow-remote",
    ))
}

/// The words of a file, of which there must be one at least.
fn words_of(file: &std::path::Path) -> Result<Vec<String>, StormError> {
    let text =
        std::fs::read_to_string(file).map_err(|error| StormError::Usage(format!("{}: {error}", file.display())))?;
    let words: Vec<String> = text.split_whitespace().map(ToOwned::to_owned).collect();
    if words.is_empty() { Err(StormError::Usage(format!("{} is empty", file.display()))) } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        storm: StormArguments,
    }

    #[test]
    fn defaults_are_the_three_measurements() {
        let line = Line::try_parse_from(["storm"]).expect("parsed");
        let StormOptions::Load(options) = StormOptions::try_from(line.storm).expect("valid") else {
            panic!("not a load")
        };
        assert_eq!(options.scenarios, [Scenario::Accepted, Scenario::SoldOut, Scenario::Purchase]);
        assert_eq!(options.plan.connections, 64);
    }

    #[test]
    fn other_machines_are_refused_unless_allowed() {
        assert!(address_of("http://127.0.0.1:8080/", false).is_ok());
        assert!(address_of("http://192.0.2.1:8080", false).is_err());
        assert!(address_of("http://192.0.2.1:8080", true).is_ok());
        assert!(address_of("https://127.0.0.1:8080", false).is_err());
        assert!(Line::try_parse_from(["storm", "--target", "http://127.0.0.1:1"]).is_err());
    }

    #[test]
    fn the_floor_stands_alone() {
        let line = Line::try_parse_from(["storm", "--floor-server"]).expect("parsed");
        assert!(matches!(StormOptions::try_from(line.storm), Ok(StormOptions::FloorServer)));
        assert!(Line::try_parse_from(["storm", "--floor-server", "--rate", "5"]).is_err());
    }
}
