//! The categories of the shop, all of them together: two levels of a few hundred, which change whole.

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::CategoryId;
use firstcome_core::product::Product;
use serde::{Deserialize, Serialize};

use crate::catalog::search::{folded, is_korean};
use crate::http::{Outcome, Problem};

/// Categories that a shop may have.
const MOST: usize = 500;

/// What it is called, in one language or in both.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(in crate::catalog) struct Names {
    pub(super) ko: Option<String>,
    pub(super) en: Option<String>,
}

/// A category.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(in crate::catalog) struct Category {
    pub(in crate::catalog) category_id: CategoryId,
    pub(super) name: Names,
    /// The category that it is in; none for one at the top.
    pub(super) parent: Option<CategoryId>,
    /// Smaller comes first.
    pub(super) position: u32,
}

/// Every category. One at the top comes before those that are in it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(in crate::catalog) struct Tree(Vec<Category>);

impl Names {
    /// A name that a file gives, in the language that its letters are of.
    pub(super) fn of(text: &str) -> Self {
        let name = Some(text.to_owned());
        if text.chars().any(is_korean) { Self { ko: name, en: None } } else { Self { ko: None, en: name } }
    }

    fn each(&self) -> impl Iterator<Item = &String> {
        self.ko.iter().chain(&self.en)
    }

    /// The name that files call it by.
    fn first(&self) -> &str {
        self.each().next().map_or("", String::as_str)
    }

    fn is(&self, name: &str) -> bool {
        self.each().any(|own| folded(own) == folded(name))
    }
}

impl Tree {
    pub(super) fn all(&self) -> &[Category] {
        &self.0
    }

    pub(super) fn get(&self, id: CategoryId) -> Option<&Category> {
        self.0.iter().find(|category| category.category_id == id)
    }

    /// A category and those that are in it.
    pub(in crate::catalog) fn with_inner(&self, id: CategoryId) -> impl Iterator<Item = CategoryId> {
        let those = self.0.iter().filter(move |category| category.category_id == id || category.parent == Some(id));
        those.map(|category| category.category_id)
    }

    /// Those that have this folded word in one of their names, with those that are in them.
    pub(in crate::catalog) fn called(&self, word: &str) -> Vec<CategoryId> {
        let called = |category: &&Category| category.name.each().any(|name| folded(name).contains(word));
        let mut ids: Vec<_> =
            self.0.iter().filter(called).flat_map(|category| self.with_inner(category.category_id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The one at this place of this name.
    pub(super) fn named(&self, parent: Option<CategoryId>, name: &str) -> Option<&Category> {
        self.0.iter().find(|category| category.parent == parent && category.name.is(name))
    }

    /// Those at this place that have one of these names.
    pub(super) fn called_one_of(&self, parent: Option<CategoryId>, name: &Names) -> impl Iterator<Item = &Category> {
        self.0.iter().filter(move |category| category.parent == parent && name.each().any(|one| category.name.is(one)))
    }

    /// Takes ids of categories that are gone out of products.
    pub(in crate::catalog) fn clean<'a>(&self, products: impl Iterator<Item = &'a mut Product>) {
        for product in products {
            product.categories.retain(|id| self.get(*id).is_some());
        }
    }

    /// How files call a category: by its name, and by the one that it is in.
    pub(in crate::catalog) fn path(&self, id: CategoryId) -> Option<String> {
        let category = self.get(id)?;
        let name = category.name.first();
        let parent = category.parent.and_then(|parent| self.get(parent));
        Some(parent.map_or_else(|| name.to_owned(), |parent| format!("{} > {name}", parent.name.first())))
    }

    /// Adds a category, or puts one that is there in the place of what it was.
    pub(super) fn put(&mut self, category: Category) -> Outcome<()> {
        self.check(&category)?;
        self.0.retain(|other| other.category_id != category.category_id);
        self.0.push(category);
        self.sort();
        Ok(())
    }

    /// Takes a category away; those that are in it stand at the top then.
    pub(super) fn remove(&mut self, id: CategoryId) -> Outcome<()> {
        if self.get(id).is_none() {
            return Err(Problem::not_found());
        }
        for inner in self.0.clone().iter().filter(|category| category.parent == Some(id)) {
            let clash = self.0.iter().any(|top| top.parent.is_none() && clashes(top, inner));
            if clash {
                let detail = format!("{} is in it, and there is one of that name at the top", inner.name.first());
                return Err(Problem::new(ErrorCode::WrongState).detail(detail));
            }
        }
        self.0.retain(|category| category.category_id != id);
        for category in self.0.iter_mut().filter(|category| category.parent == Some(id)) {
            category.parent = None;
        }
        self.sort();
        Ok(())
    }

    fn check(&self, category: &Category) -> Outcome<()> {
        let id = category.category_id;
        if category.name.each().next().is_none() {
            return Err(Problem::field("name", "is needed, in Korean (ko), in English (en) or in both"));
        }
        if self.get(id).is_none() && self.0.len() >= MOST {
            return Err(Problem::new(ErrorCode::WrongState).detail(format!("A shop has {MOST} categories at most")));
        }
        if let Some(parent) = category.parent {
            let parent = self.get(parent).ok_or_else(|| Problem::field("parent", "there is no such category"))?;
            let has_inner = self.0.iter().any(|other| other.parent == Some(id));
            if parent.parent.is_some() || parent.category_id == id || has_inner {
                return Err(Problem::field("parent", "there are two levels, and a category is not in itself"));
            }
        }
        let beside = |other: &&Category| other.category_id != id && other.parent == category.parent;
        if self.0.iter().filter(beside).any(|other| clashes(other, category)) {
            return Err(Problem::field("name", "another category beside it has it"));
        }
        Ok(())
    }

    fn sort(&mut self) {
        let place = |category: &Category| (category.position, folded(category.name.first()), category.category_id);
        let tops: Vec<Category> = self.0.iter().filter(|category| category.parent.is_none()).cloned().collect();
        let order = |category: &Category| {
            let top = category.parent.unwrap_or(category.category_id);
            let top = tops.iter().find(|other| other.category_id == top).map(&place);
            (top, category.parent.is_some(), place(category))
        };
        self.0.sort_by_cached_key(order);
    }
}

/// Whether two cannot stand beside each other, because one could be taken for the other.
fn clashes(one: &Category, other: &Category) -> bool {
    one.category_id != other.category_id && other.name.each().any(|name| one.name.is(name))
}
