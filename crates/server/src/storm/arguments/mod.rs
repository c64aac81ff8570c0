//! The command line of `firstcome storm`.

mod checked;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[cfg(test)]
pub(crate) use checked::Target;
pub use checked::{LoadOptions, StormOptions};

/// A sale under load: how fast this machine sells, how near that is to the least a server can cost, and whether the books are right.
///
/// The shop under load is a child process with data of its own, and ends with the storm, however that ends. Nothing of yours is
/// touched, and no setting of yours (`FIRSTCOME_...` variables) reaches it. Beside it stands the floor, a bare server that reads the same
/// request and answers without doing anything; every figure is set against it in the same minute. A ratio of 0.5 means that the shop does
/// everything it promises at half that rate. Ratios compare from machine to machine, requests per second do not.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct StormArguments {
    /// What to do to the shop, one after the other [default: accepted sold-out purchase; accepted with --books]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<Scenario>,
    /// Connections, each with one request at a time
    #[arg(long, short, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Seconds that each measurement lasts; `mixed` lasts until the sale is over
    #[arg(long, short, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=3600))]
    seconds: u16,
    /// Stop each measurement after so many requests
    #[arg(long, short = 'n', default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Times that each scenario is measured, each between two measurements of the floor; `mixed` happens once
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
    /// Measure on empty books and again with so many orders in the books, some of them the buyers', and print the ratio; also how long the
    /// program starts on them
    ///
    /// For each million orders it needs about 0.6 GB of disk, and 0.8 GB of memory for the audit.
    #[arg(long, value_name = "ORDERS", conflicts_with = "target", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    books: Option<u64>,
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
    /// File with a merchant's access token on each line, for `redeem` and `redeem-one`
    #[arg(long, value_name = "FILE", requires = "target")]
    merchant_tokens: Option<PathBuf>,
    /// Allow a target on another machine. It must be yours: this is a load tool
    #[arg(long, requires = "target")]
    allow_remote: bool,
    /// Do not audit the target, whose data is elsewhere; run `firstcome audit` there
    #[arg(long, requires = "target", conflicts_with = "data")]
    no_audit: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Serve the floor and nothing else
    #[arg(long, hide = true, exclusive = true)]
    floor_server: bool,
}

const EXAMPLES: &str = "\
Examples:
  firstcome storm                        how fast is this machine, are the books right afterwards?
  firstcome storm accepted -c 256        the opening second with 256 connections
  firstcome storm sold-out --rate 20000  20,000 arrivals a second at a sold-out offer
  firstcome storm --books 10000000       is an opening slower with 10 million orders in the books?
  firstcome storm own-orders --books 1000000 --rounds 1
                                         is looking at one's orders, with a million in the books?
  firstcome storm campaign checkout redeem redeem-one log-ins --rounds 1
                                         coupons, carts, tills, and people who sign up in mid-sale
  firstcome storm mixed --stock 500      rehearse a sale: late payers, declined cards, people who
                                         walk away, a provider that fails

The result:
  requests  pieces of work that were begun and ended; ok, refused, errors: what came of them
  per s     successes a second (for `sold-out` refusals), the work behind the answers included
  floor/s   an order for one unit to the floor; for `log-ins` the same sale without them
  ratio     per s to floor/s, the mean of all rounds
  aim       what the project wants of a release build on an idle machine, a rate on 2 cores;
            nothing fails when it is missed
  p50 ...   latencies; with --rate from when the visitor meant to arrive

A rehearsal ends within four minutes after its last visitor came, whatever the shop does; what has
not come to its end by then is named. At the end `firstcome audit` reads the shop's books; those of a
--target only if --data names them.
Ctrl-C ends the shop, removes its data, and prints what was measured. Temporary data is kept when
something is wrong with it, and after kill -9, which leaves no time to remove it.

Exit codes:
  0    the audit agrees (unless --no-audit), all checks of a rehearsal hold, and every scenario had
       successes
  1    not so
  2    the command line makes no sense
  4    the storm could not be brought to its end
  130  Ctrl-C or SIGTERM";

/// What is done to the shop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Scenario {
    /// Orders that get their unit; the clock stops when the last order's row is written
    Accepted,
    /// Orders that find everything sold
    SoldOut,
    /// Whole purchases: order, pay at the sandbox, until the voucher can be read
    Purchase,
    /// Free coupons, one per person; the clock stops when the last voucher can be read
    Campaign,
    /// Carts with three offers each, ordered whole; the clock stops when the last order's rows are written
    Checkout,
    /// Gift cards used in parts at tills, each time another card
    Redeem,
    /// One gift card that all tills use at once
    RedeemOne,
    /// The first page of one's own orders, twenty of them
    OwnOrders,
    /// Orders as in `accepted`, while as many people sign up and log in as there are connections
    LogIns,
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
            Self::Campaign => "campaign",
            Self::Checkout => "checkout",
            Self::Redeem => "redeem",
            Self::RedeemOne => "redeem-one",
            Self::OwnOrders => "own-orders",
            Self::LogIns => "log-ins",
            Self::Mixed => "mixed",
        }
    }

    /// What is wanted of it, on any machine for a ratio to the floor, on 2 cores for a rate.
    pub(crate) fn aim(self) -> Option<&'static str> {
        match self {
            Self::Accepted => Some("ratio 0.50"),
            Self::SoldOut | Self::LogIns => Some("ratio 0.80"),
            Self::Campaign | Self::OwnOrders => Some("ratio 0.30"),
            Self::Checkout => Some("ratio 0.15"),
            Self::Redeem => Some("ratio 0.20"),
            Self::RedeemOne => Some("ratio 0.05"),
            Self::Purchase => Some("5000 per s"),
            Self::Mixed => None,
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
