//! The command line, checked: what a storm is to do, or what is wrong and how to put it right.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Format, Scenario, StormArguments};
use crate::storm::StormError;
use crate::storm::drive::Plan;

/// A shop that runs already.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Where.
    pub(crate) address: SocketAddr,
    /// Its buyers' tokens.
    pub(crate) buyers: Vec<String>,
    /// Its seller's token.
    pub(crate) seller: String,
    /// Its merchants' tokens, if they are needed.
    pub(crate) merchants: Vec<String>,
}

/// What to do, checked.
#[derive(Clone, Debug)]
pub enum StormOptions {
    /// Be the floor.
    FloorServer,
    /// Put a shop under load.
    Load(Box<LoadOptions>),
}

/// How to put a shop under load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) plan: Plan,
    pub(crate) rounds: u8,
    pub(crate) buyers: u32,
    pub(crate) stock: u32,
    /// Orders to put into the books before the scenarios are measured a second time.
    pub(crate) books: Option<u64>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) target: Option<Target>,
    pub(crate) format: Format,
}

impl LoadOptions {
    /// Whether figures are taken, beside rehearsing.
    pub(crate) fn measures(&self) -> bool {
        self.scenarios.iter().any(|scenario| *scenario != Scenario::Mixed)
    }
}

impl TryFrom<StormArguments> for StormOptions {
    type Error = StormError;

    fn try_from(arguments: StormArguments) -> Result<Self, StormError> {
        if arguments.floor_server {
            return Ok(Self::FloorServer);
        }
        let scenarios = scenarios(&arguments)?;
        if arguments.target.is_some() && arguments.data.is_none() && !arguments.no_audit {
            let why = "--target: name the folder of that shop's data with --data, so that its books are audited; if it is on \
                       another machine, add --no-audit and run `firstcome audit` there";
            return Err(StormError::Usage(why.to_owned()));
        }
        let target = match (&arguments.target, &arguments.tokens, &arguments.seller_token) {
            (Some(url), Some(tokens), Some(seller)) => Some(Target {
                address: address_of(url, arguments.allow_remote)?,
                buyers: words_of(tokens, "firstcome dev tokens --count 1000 > FILE")?,
                seller: words_of(seller, "POST /api/v1/auth/login as a seller, and save the access_token")?
                    .swap_remove(0),
                merchants: merchants(&arguments, &scenarios)?,
            }),
            _ => None,
        };
        let plan = Plan {
            connections: arguments.connections.into(),
            duration: Duration::from_secs(arguments.seconds.into()),
            limit: arguments.requests,
            rate: arguments.rate.map(f64::from),
        };
        Ok(Self::Load(Box::new(LoadOptions {
            scenarios,
            plan,
            rounds: arguments.rounds,
            buyers: arguments.buyers,
            stock: arguments.stock,
            books: arguments.books,
            data: arguments.data,
            target,
            format: arguments.format,
        })))
    }
}

/// What was named, or the usual.
fn scenarios(arguments: &StormArguments) -> Result<Vec<Scenario>, StormError> {
    if arguments.books.is_some() && arguments.scenarios.contains(&Scenario::Mixed) {
        let why =
            "--books sets a measurement against the same on empty books, and `mixed` is no measurement: leave one out";
        return Err(StormError::Usage(why.to_owned()));
    }
    Ok(match (arguments.scenarios.as_slice(), arguments.books) {
        ([], None) => vec![Scenario::Accepted, Scenario::SoldOut, Scenario::Purchase],
        ([], Some(_)) => vec![Scenario::Accepted],
        (named, _) => named.to_vec(),
    })
}

/// The merchants' tokens, without which nothing can be redeemed.
fn merchants(arguments: &StormArguments, scenarios: &[Scenario]) -> Result<Vec<String>, StormError> {
    const MADE_BY: &str = "firstcome dev tokens --count 8 --role merchant > FILE";
    match &arguments.merchant_tokens {
        Some(file) => words_of(file, MADE_BY),
        None if scenarios.iter().any(|scenario| matches!(scenario, Scenario::Redeem | Scenario::RedeemOne)) => {
            let why =
                format!("--target: only merchants redeem: name a file with --merchant-tokens; make it with: {MADE_BY}");
            Err(StormError::Usage(why))
        }
        None => Ok(Vec::new()),
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

/// The words of a file, of which there must be one at least. `made_by` says how such a file is made.
fn words_of(file: &Path, made_by: &str) -> Result<Vec<String>, StormError> {
    let usage = |why: String| StormError::Usage(format!("{}: {why}; make it with: {made_by}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| usage(error.to_string()))?;
    let words: Vec<String> = text.split_whitespace().map(ToOwned::to_owned).collect();
    if words.is_empty() { Err(usage("it is empty".to_owned())) } else { Ok(words) }
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

    fn load(line: &[&str]) -> Result<LoadOptions, StormError> {
        let line = Line::try_parse_from(line).expect("parsed");
        match StormOptions::try_from(line.storm)? {
            StormOptions::Load(options) => Ok(*options),
            StormOptions::FloorServer => panic!("not a load"),
        }
    }

    #[test]
    fn defaults_are_the_three_measurements() {
        let options = load(&["storm"]).expect("valid");
        assert_eq!(options.scenarios, [Scenario::Accepted, Scenario::SoldOut, Scenario::Purchase]);
        assert_eq!((options.plan.connections, options.books), (64, None));
    }

    #[test]
    fn full_books_are_for_measurements() {
        assert_eq!(load(&["storm", "--books", "1000"]).expect("valid").scenarios, [Scenario::Accepted]);
        assert_eq!(load(&["storm", "sold-out", "--books", "9"]).expect("valid").scenarios, [Scenario::SoldOut]);
        assert!(matches!(load(&["storm", "mixed", "--books", "9"]), Err(StormError::Usage(_))));
        assert!(Line::try_parse_from(["storm", "--books", "0"]).is_err());
    }

    #[test]
    fn a_file_that_is_missing_or_empty_is_named_with_its_cure() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for path in [file.path(), Path::new("/nowhere")] {
            let error = words_of(path, "some command").expect_err("refused").to_string();
            assert!(error.starts_with(&path.display().to_string()) && error.contains("some command"), "{error}");
        }
    }

    #[test]
    fn tills_of_a_target_need_merchants() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "token").expect("written");
        let file = file.path().to_str().expect("text");
        let target = ["--target", "http://127.0.0.1:1", "--no-audit", "--tokens", file, "--seller-token", file];
        let line = |words: &[&str]| load(&[words, &target].concat());
        assert!(line(&["storm", "accepted"]).is_ok());
        let refused = line(&["storm", "redeem"]).expect_err("nobody may redeem").to_string();
        assert!(refused.contains("--merchant-tokens"), "{refused}");
        let options = line(&["storm", "redeem", "--merchant-tokens", file]).expect("valid");
        assert_eq!(options.target.expect("a target").merchants, ["token"]);
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
