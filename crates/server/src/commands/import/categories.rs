//! Categories in files: by their names, `name` or `name > name`, several with commas between them. A comma of a name has a
//! backslash before it, as `WooCommerce` writes it.

use std::collections::HashSet;

use firstcome_app::catalog::{CategoryDraft, MOST_CATEGORIES};
use firstcome_app::http::{Outcome, Problem};

/// The categories that a cell names.
pub(super) fn of(cell: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut letters = cell.chars();
    while let Some(letter) = letters.next() {
        let last = names.last_mut().expect("begun with one");
        match letter {
            '\\' => last.extend(letters.next()),
            ',' => names.push(String::new()),
            _ => last.push(letter),
        }
    }
    let names = names.iter().map(|name| name.trim().to_owned());
    let mut kept: Vec<String> = Vec::new();
    names.filter(|name| !name.is_empty()).for_each(|name| {
        if !kept.contains(&name) {
            kept.push(name);
        }
    });
    kept
}

/// A cell that names them.
pub(in crate::commands) fn cell<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| name.replace('\\', "\\\\").replace(',', "\\,")).collect::<Vec<_>>().join(", ")
}

/// Whether a product may be in these. Those that were checked with a product before are not looked at again.
pub(super) fn check<'a>(
    draft: &mut CategoryDraft<'_>,
    names: &'a [String],
    checked: &mut HashSet<&'a String>,
) -> Outcome<()> {
    if names.len() > MOST_CATEGORIES {
        return Err(Problem::field("categories", format!("a product is in {MOST_CATEGORIES} at most")));
    }
    names.iter().filter(|name| checked.insert(name)).try_for_each(|name| draft.at(name).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_and_names_are_the_same() {
        let names = ["상품권", "Clothing > T-shirts", "Bed, bath", "a\\b"];
        assert_eq!(of(&cell(names.into_iter())), names);
        assert_eq!(of(" A ,, B > C,A"), ["A", "B > C"]);
        assert!(of(" , ").is_empty());
    }
}
