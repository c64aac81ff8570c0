//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use firstcome_app::http::AccountRole;
use firstcome_core::money::Currency;

use crate::config::{Config, ConfigError, Overrides, load};
use crate::storm::StormArguments;

/// Sells limited stock first come, first served: never oversold, nothing lost, provably fair.
///
/// Without a command the whole shop runs in this process on embedded storage, with a demo catalogue the first time:
/// open the address that it prints.
#[derive(Debug, Parser)]
#[command(name = "firstcome", version, propagate_version = true)]
pub struct Cli {
    /// What to do; `serve` if left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// End at once when the process of this id, which must be the parent, ends
    #[arg(long, hide = true, value_name = "PID")]
    pub ends_with: Option<u32>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: its fields say what they are")]
    pub serve: ServeArguments,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the shop.
    Serve(ServeArguments),
    /// Take categories, products and offers from a JSON or CSV file. Twice is once, by name and `sku`.
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArguments),
    /// Write everything out: the catalogue as imports read it, and the books as CSV. Also while the shop runs.
    #[command(after_help = EXPORT_HELP)]
    Export(ExportArguments),
    /// Accounts of the people who run the shop.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Tools for development; production refuses them.
    #[command(subcommand)]
    Dev(DevCommand),
    /// The keys that encrypt personal data.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Read everything back and compare: units, money, deliveries. Also while the shop runs.
    Audit(AuditArguments),
    /// Move an embedded shop's data to the servers of a cluster, audited on both sides. The shop must not run.
    ///
    /// Topics and databases must be empty. The folder is only read, except that its keys are copied to `cluster.keys`.
    #[cfg(feature = "cluster")]
    Move(MoveArguments),
    /// A sale under load, with a result table, the ratio to the floor, and the audit at its end.
    Storm(StormArguments),
    /// Show every setting, its value, and where the value came from.
    Config(ConfigArguments),
    /// Bring the databases, topics and keys of a cluster up to this version. Twice is once; also while the shop runs.
    Migrate(DataArguments),
    /// Check every server and setting of a cluster, and say what to do. Changes nothing; ends with 1 if something is wrong.
    Doctor(DataArguments),
}

const IMPORT_HELP: &str = "\
A JSON file has three lists, {\"categories\": [...], \"products\": [...], \"offers\": [...]}: categories as POST /admin/categories takes
them, but parent is a name of the one that it is in; products as POST /admin/products takes them, with a sku, and names of
categories; offers as POST /admin/offers takes them, with a sku, and product_sku in place of product_id.
A CSV file has one offer a row, with its product. Columns: sku, kind, name, description, image_url, face_value,
valid_for_days, visit_date, categories (name or name > name, several with commas between them), discount_percent,
discount_max_amount, discount_amount, minimum_amount, value_currency (of face_value and discount_amount, where it is another
one), tax_free, price, currency, stock, opens_at, closes_at, limit_per_person, max_per_order, hold_for_seconds, refund_policy,
time_zone, conditions (as in JSON), draft. Only sku, kind, name, price and stock are needed.
With a column offer_sku a product may stand in several rows, each with another offer of it, and a row without an offer_sku is
a product without an offer.
refund_policy is full_until_used, by_visit_date (tickets with a visit_date), withdrawal (goods) or none (not goods).
opens_at and closes_at are times such as 2026-11-20T09:00:00+09:00, or relative to the import such as +2m or +1h.
What is there already becomes as the file says: products and offers by their sku, categories by either of their names. What the
file leaves out of a category or an offer, times relative to the import, and the categories of a product of which it names none,
stay; what else it leaves out of a product is empty then. A change that would break a promise, such as a price at which units are
held, is refused, and nothing of the file is taken; so is another stock than the shop has, unless the offer is a draft (POST
/admin/offers/{id}/adjust changes it, also before it opens).
A folder that was exported stands for its catalogue.json. Pictures that were uploaded to another shop are taken from the folder
images beside the file; a product whose picture is not there has none then, and is named.
Files are UTF-8, with or without a byte order mark. What is new in a file is created in one commit; what is there already is
changed row by row before that, so import again what was interrupted: twice is once.
The product CSV that Shopify and WooCommerce export is taken as well, and known by its columns: every variant becomes a product
with an offer, by its SKU; what is not published, or has no count of units, becomes a draft; columns that mean nothing here are
named, and so are drafts of WooCommerce without a price and pictures by http, which are left out. Prices are in --currency.
The catalogue of the demo is such a JSON file: firstcome import --print-demo.";

const EXPORT_HELP: &str = "\
A file that ends in .json or .csv gets the catalogue: every product and offer as firstcome import reads them, with the stock of
now (what is available, held and sold). What has no sku is called by its id. Only JSON has the categories whole, with both names
and their order; CSV names those that products are in.
Any other name becomes a new folder with catalogue.json, catalogue.csv, the uploaded pictures that products show (in a folder
images), and the books. In days.csv is what the ledger sold and took back, by day in the shop's time zone and by offer;
orders.csv, payments.csv, refunds.csv and vouchers.csv have a column booked_on: their rows with the same booked_on and offer_id
add up to it. Payments and refunds of an order over several offers stand under its first one. Rows without booked_on, such as
orders that nobody paid, are not in the ledger. settlements.csv and findings.csv are the checks with the provider, actions.csv what
people of the shop did, consents.csv what buyers agreed to. No names, addresses or e-mails, and no codes of vouchers, are written. Amounts are in minor units. In
CSV an apostrophe stands before words that a spreadsheet would take for a formula; firstcome import takes it off again.";

/// How the shop runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ServeArguments {
    /// The folder of all data [default: ./firstcome-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The address to listen on [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// A configuration file in TOML; see `firstcome config`.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Run only some roles of a cluster, separated by commas: gateway, accounts, catalog, orders, payments, vouchers, notices, sandbox.
    #[arg(long, value_name = "LIST")]
    pub roles: Option<String>,
    /// Leave a new data folder empty.
    #[arg(long)]
    pub no_demo: bool,
}

/// Where the data is.
#[derive(Debug, Clone, Default, Args)]
pub struct DataArguments {
    /// The folder of all data [default: ./firstcome-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A configuration file in TOML.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl DataArguments {
    /// The configuration that these arguments lead to.
    pub fn load(&self) -> Result<Config, ConfigError> {
        load(self.config.as_deref(), &Overrides { data: self.data.clone(), ..Overrides::default() })
    }
}

impl ServeArguments {
    /// What goes over the file and the environment.
    pub fn overrides(&self) -> Overrides {
        Overrides { data: self.data.clone(), listen: self.listen, no_demo: self.no_demo, roles: self.roles.clone() }
    }
}

/// What to import.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// A file that ends in .json or .csv, or a folder that was exported.
    #[arg(required_unless_present = "print_demo")]
    pub file: Option<PathBuf>,
    /// What the prices in a file of another shop are in; such files do not say.
    #[arg(long, default_value = "KRW")]
    pub currency: Currency,
    /// Print the catalogue of the demo, to begin from.
    #[arg(long)]
    pub print_demo: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: its fields say what they are")]
    pub data: DataArguments,
}

/// What to export.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// A new file that ends in .json or .csv, or a new folder.
    pub target: PathBuf,
    /// Write the reasons that people gave for refunds, too. They may be personal.
    #[arg(long = "personal-data")]
    pub reasons: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: its fields say what they are")]
    pub data: DataArguments,
}

/// Accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Create an account with roles, or give roles to one that is there. Also while the shop runs.
    Add(AccountArguments),
}

/// A new account.
#[derive(Debug, Args)]
pub struct AccountArguments {
    /// buyer, merchant, seller, operator; several separated by commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',', required = true)]
    pub role: Vec<String>,
    /// The e-mail to log in with.
    #[arg(long)]
    pub email: String,
    /// Read the password from standard input, so that it stays out of the process list. An account that is there gets it too.
    #[arg(long)]
    pub password_stdin: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: its fields say what they are")]
    pub data: DataArguments,
}

/// Keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a new key. What the old ones encrypted is encrypted anew in the background. Also while the shop runs.
    Rotate(RotateArguments),
    /// Show which keys there are, which of them encrypts, and which are not needed any more.
    Status(DataArguments),
}

/// When a new key begins.
#[derive(Debug, Args)]
pub struct RotateArguments {
    /// Seconds until something is encrypted with it. Within them its file must be in the folder of every process.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=604_800))]
    pub delay: u64,
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: its fields say what they are")]
    pub data: DataArguments,
}

/// Tools for development.
#[derive(Debug, Subcommand)]
pub enum DevCommand {
    /// Create buyers, or merchants, with a verified e-mail and an address; print one access token a line, valid for a day, not rate-limited.
    Tokens(TokensArguments),
}

/// How many people, and who they are.
#[derive(Debug, Args)]
pub struct TokensArguments {
    /// How many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub count: u32,
    /// Who they are.
    #[arg(long, value_enum, default_value_t = LoadRole::Buyer)]
    pub role: LoadRole,
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: its fields say what they are")]
    pub data: DataArguments,
}

/// Who takes part in a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoadRole {
    /// Buys.
    Buyer,
    /// Redeems vouchers.
    Merchant,
}

impl From<LoadRole> for AccountRole {
    fn from(role: LoadRole) -> Self {
        match role {
            LoadRole::Buyer => Self::Buyer,
            LoadRole::Merchant => Self::Merchant,
        }
    }
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What to move.
#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
pub struct MoveArguments {
    /// The data folder of the embedded shop.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The configuration of the cluster.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// What to audit.
#[derive(Debug, Args)]
pub struct AuditArguments {
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: its fields say what they are")]
    pub data: DataArguments,
}

/// What to show.
#[derive(Debug, Args)]
pub struct ConfigArguments {
    #[command(flatten)]
    #[expect(missing_docs, reason = "flattened: its fields say what they are")]
    pub serve: ServeArguments,
}
