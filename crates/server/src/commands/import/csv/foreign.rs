//! What the exports of other shops have in common: decimal prices, descriptions in HTML, and columns that mean nothing here.

use std::collections::BTreeSet;

use firstcome_app::catalog::{GivenOffer, MOST_CATEGORIES};
use firstcome_core::ids::ProductId;
use firstcome_core::money::Currency;
use serde_json::{Map, json};

use super::{Catalogue, Row};
use crate::commands::CommandError;
use crate::commands::import::{OfferRow, ProductRow, fields};

/// A product with its offer, as far as another shop's row says.
#[derive(Clone, Default)]
pub(super) struct Item {
    pub(super) place: String,
    pub(super) sku: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) image_url: Option<String>,
    pub(super) tax_free: bool,
    pub(super) is_gift_card: bool,
    /// What it is found under, by name.
    pub(super) categories: Vec<String>,
    pub(super) price: i64,
    /// None where the shop did not count: such an offer is a draft without units.
    pub(super) stock: Option<i64>,
    pub(super) draft: bool,
}

/// Collects items, and what was not taken.
pub(super) struct Foreign {
    pub(super) currency: Currency,
    pub(super) catalogue: Catalogue,
    taken: &'static [&'static [&'static str]],
    ignored: BTreeSet<String>,
}

impl Foreign {
    pub(super) fn new(currency: Currency, taken: &'static [&'static [&'static str]]) -> Self {
        Self { currency, catalogue: Catalogue::default(), taken, ignored: BTreeSet::new() }
    }

    /// Remembers the columns of a row that say something that is not taken.
    pub(super) fn look(&mut self, row: &Row<'_>) {
        let says = row.headers.iter().zip(row.record).filter(|(_, cell)| !cell.trim().is_empty());
        let ignored =
            says.map(|(column, _)| column).filter(|column| !self.taken.iter().any(|names| names.contains(column)));
        for column in ignored {
            if !self.ignored.contains(column) {
                self.ignored.insert(column.to_owned());
            }
        }
    }

    pub(super) fn note(&mut self, place: &str, why: &str) {
        self.catalogue.notes.push(format!("{place}: {why}"));
    }

    pub(super) fn add(&mut self, mut item: Item) -> Result<(), CommandError> {
        if item.categories.len() > MOST_CATEGORIES {
            self.note(
                &item.place,
                &format!("is in more categories than {MOST_CATEGORIES}, and taken into the first of them"),
            );
            item.categories.truncate(MOST_CATEGORIES);
        }
        if item.image_url.as_deref().is_some_and(is_without_tls) {
            self.note(&item.place, "its picture is left out: it does not come over https");
            item.image_url = None;
        }
        let money = json!({ "amount": item.price, "currency": self.currency });
        let mut product = Map::new();
        product.insert("sku".to_owned(), json!(item.sku));
        product.insert("kind".to_owned(), json!(if item.is_gift_card { "gift_card" } else { "goods" }));
        product.insert("name".to_owned(), json!(item.name));
        product.insert("description".to_owned(), json!(item.description));
        product.insert("tax_free".to_owned(), json!(item.tax_free));
        product.extend(item.image_url.map(|url| ("image_url".to_owned(), json!(url))));
        if item.is_gift_card {
            product.insert("face_value".to_owned(), money.clone());
        }
        let product = fields::read(product, &item.place)?;
        let categories = Some(item.categories).filter(|names| !names.is_empty());
        self.catalogue.products.push(ProductRow { place: item.place.clone(), product, categories });
        if item.stock.is_none() {
            self.note(&item.place, "has no count of units; its offer is a draft without any");
        }
        // What other shops sold below nothing is nothing.
        let stock = item.stock.unwrap_or(0).max(0);
        let offer = Map::from_iter([
            ("sku".to_owned(), json!(item.sku)),
            ("product_id".to_owned(), json!(ProductId::NIL)),
            ("price".to_owned(), money),
            ("stock".to_owned(), json!(stock)),
            ("draft".to_owned(), json!(item.draft || item.stock.is_none())),
        ]);
        // Whether it is a draft is decided here once the offer exists.
        let mut given: BTreeSet<String> = ["sku", "price"].map(str::to_owned).into();
        given.extend(item.stock.is_some().then(|| "stock".to_owned()));
        let offer = fields::read(offer, &item.place)?;
        self.catalogue
            .offers
            .push(OfferRow { place: item.place, given: GivenOffer { offer, product_sku: item.sku, given } });
        Ok(())
    }

    pub(super) fn finish(mut self) -> Catalogue {
        if !self.ignored.is_empty() {
            let columns: Vec<_> = self.ignored.into_iter().collect();
            self.catalogue.notes.push(format!("not taken, nothing here means the same: {}", columns.join(", ")));
        }
        self.catalogue
    }
}

impl Row<'_> {
    /// The first of these columns that says something: exports of different times name them differently.
    pub(super) fn either(&self, columns: &[&str]) -> Option<&str> {
        columns.iter().find_map(|column| self.text(column))
    }

    /// A price such as 19.90 in minor units.
    pub(super) fn price(&self, columns: &[&str], currency: Currency) -> Result<Option<i64>, CommandError> {
        let Some(text) = self.either(columns) else { return Ok(None) };
        let wrong = || {
            let name = columns.iter().find(|column| self.text(column).is_some()).unwrap_or(&columns[0]);
            self.bad(format!("{name}: {text} is no price in {currency}; --currency says in which they are"))
        };
        minor_units(text, currency.minor_digits()).map(Some).ok_or_else(wrong)
    }

    pub(super) fn is(&self, columns: &[&str], value: &str) -> bool {
        self.either(columns).is_some_and(|text| text.eq_ignore_ascii_case(value))
    }
}

/// Whether an address begins with `http://`, in letters of either size.
fn is_without_tls(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("http"))
}

fn minor_units(text: &str, digits: u32) -> Option<i64> {
    let digits = digits as usize;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (kept, rest) = fraction.split_at_checked(digits).unwrap_or((fraction, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(kept) || rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    format!("{whole}{kept:0<digits$}").parse().ok()
}

/// The text of a description in HTML: tags are left out, those that begin a line begin one here.
pub(super) fn plain(html: &str) -> String {
    const LINES: [&str; 10] = ["p", "/p", "br", "div", "/div", "li", "tr", "h1", "h2", "h3"];
    let (mut text, mut rest) = (String::new(), html);
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let Some((tag, after)) = tag.split_once('>') else {
            text.push('<');
            rest = tag;
            break;
        };
        let name = tag.split([' ', '\n', '\t']).next().unwrap_or_default().to_ascii_lowercase();
        if LINES.contains(&name.trim_end_matches('/')) {
            text.push('\n');
        }
        let hidden = matches!(name.as_str(), "script" | "style").then(|| after.find(&format!("</{name}")));
        rest = hidden.flatten().map_or(after, |end| &after[end..]);
    }
    text.push_str(rest);
    for (entity, meant) in
        [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        text = text.replace(entity, meant);
    }
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_or_refused() {
        for (text, digits, meant) in [
            ("19900.00", 0, Some(19_900)),
            ("19900", 0, Some(19_900)),
            ("19.9", 2, Some(1_990)),
            ("19.90000", 2, Some(1_990)),
            ("0", 2, Some(0)),
            ("1.250", 3, Some(1_250)),
            ("1.25", 3, Some(1_250)),
            ("1.2505", 3, None),
            ("19.99", 0, None),
            ("19,900", 0, None),
            ("-1", 0, None),
            ("", 2, None),
            (".5", 2, None),
            ("1e3", 2, None),
        ] {
            assert_eq!(minor_units(text, digits), meant, "{text}");
        }
    }

    #[test]
    fn descriptions_are_text() {
        let html =
            "<p>A &amp; <b>B</b></p>\n<ul><li>one<li>한글</ul><script>alert('<p>')</script><br/>end &lt;3 &amp;lt;";
        assert_eq!(plain(html), "A & B\none\n한글\nend <3 &lt;");
        assert_eq!(plain("no tags, 1 < 2"), "no tags, 1 < 2");
    }
}
