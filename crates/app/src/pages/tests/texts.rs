//! Every text that is asked for exists, in both languages.

use std::collections::BTreeSet;
use std::path::Path;

use firstcome_core::codes::ErrorCode;

use crate::pages::language::Language;

const BOTH: [Language; 2] = [Language::Korean, Language::English];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            texts.extend(files(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            texts.push(std::fs::read_to_string(&path).expect("text"));
        }
    }
    texts
}

fn names(language: Language) -> BTreeSet<String> {
    let texts = files(&root().join("locales").join(language.tag()), "ftl");
    let lines = texts.iter().flat_map(|text| text.lines());
    let names = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    names.filter_map(|line| line.split_once(" =")).map(|(name, _)| name.to_owned()).collect()
}

/// Texts are there for the program too, not only for those who read the files, and its arguments find their places.
#[test]
fn texts_are_filled_in() {
    let arguments = [("held", 3.into()), ("next", "18:00".into())];
    let told = Language::English.text_with("problem-sold_out-until", &arguments);
    assert!(told.ends_with("3 units are still being paid. The next could come back at 18:00."), "{told}");
}

#[test]
fn every_code_has_its_words() {
    for language in BOTH {
        let known = names(language);
        for code in ErrorCode::ALL {
            let name = format!("problem-{}", code.as_str());
            assert!(known.contains(&name), "{language:?} has no {name}");
        }
    }
}

#[test]
fn both_languages_say_the_same_things() {
    assert_eq!(names(Language::Korean), names(Language::English));
}

#[test]
fn what_templates_and_handlers_name_exists() {
    let mut sources = files(&root().join("templates"), "html");
    sources.extend(files(&root().join("src/pages"), "rs"));
    let known = names(Language::English);
    for source in sources {
        for call in [".t(\"", ".say(\"", ".count(\"", "language.text(\"", "text_with(\""] {
            let named = source.split(call).skip(1).filter_map(|rest| rest.split('"').next());
            // Three dots stand for any name in the documentation.
            for name in named.filter(|name| *name != "...") {
                assert!(known.contains(name), "nobody says {name}");
            }
        }
    }
}

/// The names that are put together from a prefix and a value of the API.
#[test]
fn every_state_and_kind_has_a_name() {
    let values: [(&str, &[&str]); 9] = [
        ("kind", &["goods", "ticket", "gift_card", "coupon"]),
        ("offer-state", &["draft", "upcoming", "open", "sold_out", "ended", "frozen"]),
        (
            "order-state",
            &["PENDING", "PAYING", "COMPLETED", "EXPIRED", "CANCELED", "PARTIALLY_CANCELED", "RETURNED", "FAILED"],
        ),
        (
            "order-headline",
            &["PENDING", "PAYING", "COMPLETED", "EXPIRED", "CANCELED", "PARTIALLY_CANCELED", "RETURNED", "FAILED"],
        ),
        ("voucher-state", &["ACTIVE", "USING", "USED", "EXPIRED", "CANCELED"]),
        ("refund", &["PENDING", "DONE", "REFUSED", "QUARANTINED"]),
        ("refund-policy", &["full_until_used", "by_visit_date", "withdrawal", "none"]),
        ("voucher-use", &["issued", "redeemed", "spent", "returned", "refunded", "voided"]),
        ("refused", &["sold_out", "over_limit", "too_many", "not_open_yet", "closed", "frozen"]),
    ];
    for language in BOTH {
        let known = names(language);
        for (prefix, values) in values {
            for value in values {
                assert!(known.contains(&format!("{prefix}-{value}")), "{language:?} has no {prefix}-{value}");
            }
        }
    }
}
