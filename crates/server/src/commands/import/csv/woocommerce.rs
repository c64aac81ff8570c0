//! The product CSV that `WooCommerce` exports
//! (<https://github.com/woocommerce/woocommerce/wiki/Product-CSV-Import-Schema>). A variation becomes a product with an offer,
//! with what its parent says where it says nothing; the parent itself, a `variable` product, is not sold.

use std::collections::{HashMap, HashSet};

use firstcome_core::money::Currency;

use super::foreign::{Foreign, Item, plain};
use super::{Catalogue, Dialect, Row};
use crate::commands::CommandError;
use crate::commands::import::categories;

const TAKEN: &[&[&str]] = &[&[
    "ID",
    "Type",
    "SKU",
    "Name",
    "Published",
    "Short description",
    "Description",
    "Tax status",
    "Stock",
    "Regular price",
    "Categories",
    "Images",
    "Parent",
]];

/// Whether these are its columns.
pub(super) fn is(headers: &csv::StringRecord) -> bool {
    ["Type", "SKU", "Name", "Regular price"].iter().all(|column| headers.iter().any(|header| header == *column))
}

/// Takes its rows. A parent may stand behind its variations.
pub(super) struct WooCommerce {
    shared: Foreign,
    items: Vec<(Item, Option<String>)>,
    /// The places of those without a price, which only drafts may be.
    unpriced: HashSet<String>,
    /// By `SKU`, and by `id:` with `ID`.
    parents: HashMap<String, Item>,
}

impl WooCommerce {
    pub(super) fn new(currency: Currency) -> Self {
        Self {
            shared: Foreign::new(currency, TAKEN),
            items: Vec::new(),
            unpriced: HashSet::new(),
            parents: HashMap::new(),
        }
    }

    fn item(&self, row: &Row<'_>) -> Result<Item, CommandError> {
        let id = row.text("ID").map(|id| format!("id:{id}"));
        let sku = row.text("SKU").map(str::to_owned).or(id).ok_or_else(|| row.bad("SKU: is needed, or ID"))?;
        let description = row.either(&["Description", "Short description"]).unwrap_or_default();
        // A cell that only says where the units are counted, such as `parent`, counts none.
        let counted = row.text("Stock").filter(|stock| *stock != "parent");
        Ok(Item {
            place: row.place.clone(),
            sku,
            name: row.text("Name").unwrap_or_default().to_owned(),
            // Exports write the end of a line as two letters.
            description: plain(&description.replace("\\n", "\n")),
            image_url: row.text("Images").and_then(|all| all.split(',').next()).map(|url| url.trim().to_owned()),
            tax_free: row.is(&["Tax status"], "none"),
            is_gift_card: false,
            categories: row.text("Categories").map(categories::of).unwrap_or_default(),
            price: 0,
            stock: if counted.is_some() { row.number("Stock")? } else { None },
            draft: !row.is(&["Published"], "1"),
        })
    }
}

impl Dialect for WooCommerce {
    fn take(&mut self, row: &Row<'_>) -> Result<(), CommandError> {
        self.shared.look(row);
        let kinds: Vec<_> = row.text("Type").unwrap_or("simple").split(',').map(str::trim).collect();
        let is = |kind: &str| kinds.contains(&kind);
        if is("grouped") || is("external") {
            self.shared.note(&row.place, "is not taken: a grouped or external product has no units of its own");
            return Ok(());
        }
        let mut item = self.item(row)?;
        if is("variable") {
            self.parents.extend(row.text("ID").map(|id| (format!("id:{id}"), item.clone())));
            self.parents.insert(item.sku.clone(), item);
            return Ok(());
        }
        match row.price(&["Regular price"], self.shared.currency)? {
            Some(price) => item.price = price,
            None => drop(self.unpriced.insert(row.place.clone())),
        }
        let parent = row.text("Parent").filter(|_| is("variation")).map(str::to_owned);
        if is("variation") && parent.is_none() {
            return Err(row.bad("Parent: a variation needs one"));
        }
        self.items.push((item, parent));
        Ok(())
    }

    fn finish(mut self) -> Result<Catalogue, CommandError> {
        for (mut item, parent) in self.items {
            if let Some(named) = parent {
                let missing = || super::bad(&item.place, format!("Parent: no variable product {named} in this file"));
                let parent = self.parents.get(&named).ok_or_else(missing)?;
                if item.name.is_empty() {
                    item.name.clone_from(&parent.name);
                }
                if item.description.is_empty() {
                    item.description.clone_from(&parent.description);
                }
                item.image_url = item.image_url.or_else(|| parent.image_url.clone());
                if item.categories.is_empty() {
                    item.categories.clone_from(&parent.categories);
                }
                item.draft |= parent.draft;
            }
            if self.unpriced.contains(&item.place) {
                if !item.draft {
                    return Err(super::bad(&item.place, "Regular price: is needed"));
                }
                self.shared.note(&item.place, "is not taken: it is not published, and has no price yet");
                continue;
            }
            self.shared.add(item)?;
        }
        Ok(self.shared.finish())
    }
}
