//! Categories: what buyers narrow the shop down by. They are one row, so that whatever they must be to each other they are
//! in every commit. A product keeps the ids of its own; one of a category that is gone means nothing and is not shown.

mod import;
mod routes;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::HashSet;
use std::sync::Arc;

use firstcome_core::ids::CategoryId;
use firstcome_core::ports::{Committed, PortError, random_bytes};
use firstcome_core::product::Product;
use firstcome_core::record;
use firstcome_core::records::{Comparison, Field as _, Json, Query, Record as _, RecordsExt as _, Stored, Unit};

use super::Catalog;
use super::search::token;
use super::store::{TRIES, busy};
use crate::http::{Outcome, Problem, named};

pub use import::{CategoryDraft, GivenCategory};
pub(super) use routes::{
    __path_change, __path_create, __path_list, __path_of_seller, __path_remove, change, create, list, of_seller, remove,
};
pub(super) use tree::Tree;

/// Categories that a product may be in.
pub const MOST_OF_PRODUCT: usize = 10;
/// The one row.
const TREE: u32 = 1;

record! {
    /// All categories of the shop.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct TreeRow in "categories" {
        /// Always the same.
        pub(super) id: u32,
        /// What they are.
        pub(super) tree: Json<Tree>,
    }
    indexes []
}

impl Catalog {
    /// The categories of now. Each version of their row is parsed once.
    pub(super) async fn tree(&self) -> Outcome<Arc<Tree>> {
        let Some(row) = self.ports.records.get(TreeRow::TABLE, TREE.to_value()).await? else {
            return Ok(Arc::default());
        };
        let known = self.tree.read().clone().filter(|(version, _)| *version == row.version);
        if let Some((_, tree)) = known {
            return Ok(tree);
        }
        let read = TreeRow::from_values(row.values).map_err(|error| PortError::Corrupt(error.to_string()))?;
        let tree = Arc::new(read.tree.0);
        *self.tree.write() = Some((row.version, Arc::clone(&tree)));
        Ok(tree)
    }

    async fn stored_tree(&self) -> Outcome<Option<Stored<TreeRow>>> {
        Ok(self.ports.records.load::<TreeRow>(TREE).await?)
    }

    /// Changes the categories; what comes of it is decided again when somebody else was faster.
    async fn change_tree<T>(&self, change: impl Fn(&mut Tree) -> Outcome<T>) -> Outcome<T> {
        // Those in this process come one after the other; only other processes are faster.
        let _turn = self.tree_changes.lock().await;
        for _ in 0..TRIES {
            let stored = self.stored_tree().await?;
            let before = stored.as_ref().map(|stored| stored.record.tree.0.clone()).unwrap_or_default();
            let mut tree = before.clone();
            let changed = change(&mut tree)?;
            if tree == before {
                return Ok(changed);
            }
            let record = TreeRow { id: TREE, tree: Json(tree) };
            let unit = match stored {
                None => Unit::new().insert(&record),
                Some(Stored { version, .. }) => Unit::new().update(&Stored { record, version }),
            };
            if self.ports.records.commit(unit).await? == Committed::Done {
                return Ok(changed);
            }
        }
        Err(busy())
    }

    fn new_category_id(&self) -> CategoryId {
        CategoryId::at(self.ports.clock.now(), random_bytes(&*self.ports.random))
    }

    /// Refuses a product in more categories than it may be in, or in one that is not there.
    pub(super) async fn check_categories(&self, product: &Product) -> Outcome<()> {
        let ids = &product.categories;
        if ids.len() > MOST_OF_PRODUCT {
            return Err(Problem::field("categories", format!("a product is in {MOST_OF_PRODUCT} at most")));
        }
        if ids.iter().collect::<HashSet<_>>().len() != ids.len() {
            return Err(Problem::field("categories", "one of them is named twice"));
        }
        if ids.is_empty() {
            return Ok(());
        }
        let tree = self.tree().await?;
        match ids.iter().find(|id| tree.get(**id).is_none()) {
            Some(id) => Err(Problem::field("categories", format!("there is no category {id}"))),
            None => Ok(()),
        }
    }

    /// Takes ids of categories that are gone out of products that are to be shown.
    pub(super) async fn drop_gone<'a>(&self, products: impl Iterator<Item = &'a mut Product>) -> Outcome<()> {
        let products: Vec<_> = products.filter(|product| !product.categories.is_empty()).collect();
        if !products.is_empty() {
            self.tree().await?.clean(products.into_iter());
        }
        Ok(())
    }

    /// Only what is in the category that a parameter names, or in one that is in it.
    pub(super) async fn in_category(&self, query: Query, category: Option<&str>) -> Outcome<Query> {
        let Some(id) = named::<CategoryId>("category", category)? else { return Ok(query) };
        let tokens = self.tree().await?.with_inner(id).map(token).collect();
        Ok(query.filter("search", Comparison::HasOneOf(tokens)))
    }
}
