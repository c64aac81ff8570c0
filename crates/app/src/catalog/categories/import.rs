//! Categories in files: whole, with both names and their places, or only named by what is in them.

use std::collections::{HashMap, HashSet};

use firstcome_core::ids::CategoryId;
use garde::Validate;
use serde::{Deserialize, Serialize};

use super::routes::{NameBody, check_name};
use super::tree::{Category, Names, Tree};
use crate::catalog::{Catalog, Imported};
use crate::http::{Outcome, Problem};

/// A category as a file gives it: found in the shop by either of its names, beside those that are in the same one.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct GivenCategory {
    /// In one language, or in both. One that the file leaves out stays.
    #[garde(dive)]
    name: NameBody,
    /// The name of the one that it is in; none for one at the top.
    #[serde(default)]
    #[garde(skip)]
    pub parent: Option<String>,
    /// Smaller comes first. If the file leaves it out it stays, and a new one is the last.
    #[serde(default)]
    #[garde(skip)]
    position: Option<u32>,
}

/// The categories as an import would make them.
pub struct CategoryDraft<'a> {
    catalog: &'a Catalog,
    tree: Tree,
    /// What the file has given whole.
    given: HashSet<CategoryId>,
}

impl Tree {
    /// All of them as files give them, in their order.
    pub(in crate::catalog) fn given(&self) -> Vec<GivenCategory> {
        let given = |category: &Category| GivenCategory {
            name: category.name.clone().into(),
            parent: category.parent.and_then(|parent| self.path(parent)),
            position: Some(category.position),
        };
        self.all().iter().map(given).collect()
    }

    fn behind_all(&self) -> u32 {
        self.all().iter().map(|category| category.position).max().map_or(0, |last| last.saturating_add(1))
    }
}

impl<'a> CategoryDraft<'a> {
    fn of(catalog: &'a Catalog, tree: Tree) -> Self {
        Self { catalog, tree, given: HashSet::new() }
    }

    /// Makes a category as the file gives it. The one that it is in comes before it.
    pub fn put(&mut self, given: &GivenCategory) -> Outcome<Imported> {
        let parent = given.parent.as_deref().map(|name| self.top(name)).transpose()?;
        let given_names: Names = given.name.clone().into();
        let present = self.present(parent, &given_names)?;
        let (category_id, before) = match &present {
            None => (self.catalog.new_category_id(), Names::default()),
            Some(present) => (present.category_id, present.name.clone()),
        };
        let position = given.position.or(present.as_ref().map(|present| present.position));
        let position = position.unwrap_or_else(|| self.tree.behind_all());
        let name = Names { ko: given_names.ko.or(before.ko), en: given_names.en.or(before.en) };
        let category = Category { category_id, name, parent, position };
        self.given.insert(category_id);
        if present.as_ref() == Some(&category) {
            return Ok(Imported::Unchanged);
        }
        self.tree.put(category)?;
        Ok(if present.is_none() { Imported::Created } else { Imported::Updated })
    }

    fn top(&self, name: &str) -> Outcome<CategoryId> {
        let found = self.tree.named(None, name).map(|category| category.category_id);
        found.ok_or_else(|| {
            let why =
                format!("there is no category {name} at the top; add it to the file's categories, without a parent");
            Problem::field("parent", why)
        })
    }

    /// The one that is there under one of these names.
    fn present(&self, parent: Option<CategoryId>, name: &Names) -> Outcome<Option<Category>> {
        let present: Vec<&Category> = self.tree.called_one_of(parent, name).collect();
        if present.iter().any(|category| self.given.contains(&category.category_id)) {
            return Err(Problem::field("name", "another category of the file has it; write each of them once"));
        }
        match present[..] {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            [one, other, ..] => {
                let (one, other) = (one.category_id, other.category_id);
                let why =
                    format!("the shop has two such categories, {one} and {other}; delete or rename one of them there");
                Err(Problem::field("name", why))
            }
        }
    }

    /// The category at a path, `name` or `name > name`, which is made if it is not there. What stands between the first and
    /// the last level of another shop is left out.
    pub fn at(&mut self, path: &str) -> Outcome<CategoryId> {
        let mut names = path.split('>').map(str::trim).filter(|name| !name.is_empty());
        let first = names.next().ok_or_else(|| Problem::field("categories", "one of them has no name"))?;
        let top = self.named(None, first)?;
        names.next_back().map_or(Ok(top), |last| self.named(Some(top), last))
    }

    fn named(&mut self, parent: Option<CategoryId>, name: &str) -> Outcome<CategoryId> {
        if let Some(there) = self.tree.named(parent, name) {
            return Ok(there.category_id);
        }
        check_name(name)?;
        let (category_id, position) = (self.catalog.new_category_id(), self.tree.behind_all());
        self.tree.put(Category { category_id, name: Names::of(name), parent, position })?;
        Ok(category_id)
    }
}

impl Catalog {
    /// The categories of now, to try out an import: nothing of it is kept.
    pub async fn draft_of_categories(&self) -> Outcome<CategoryDraft<'_>> {
        Ok(CategoryDraft::of(self, Tree::clone(&*self.tree().await?)))
    }

    /// The categories that a file gives, and those that it names, which are made if they are not there, in one commit.
    pub async fn import_categories(
        &self,
        given: &[GivenCategory],
        paths: &[String],
    ) -> Outcome<(Vec<Imported>, HashMap<String, CategoryId>)> {
        if given.is_empty() && paths.is_empty() {
            return Ok((Vec::new(), HashMap::new()));
        }
        self.change_tree(|tree| {
            let mut draft = CategoryDraft::of(self, std::mem::take(tree));
            let done = given.iter().map(|given| draft.put(given)).collect::<Outcome<_>>()?;
            let named = paths.iter().map(|path| Ok((path.clone(), draft.at(path)?))).collect::<Outcome<_>>()?;
            *tree = draft.tree;
            Ok((done, named))
        })
        .await
    }
}
