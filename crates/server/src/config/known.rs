//! Which settings there are. A name that is none is refused: a misspelt `environment` would otherwise mean development.

use confique::meta::{FieldKind, Meta};

use super::{Config, ConfigError};

/// What the names of variables begin with.
const PREFIX: &str = "FIRSTCOME_";
/// Letters by which a misspelt variable may differ from a setting. One that differs by more is somebody else's: test tools
/// and container platforms name theirs after the program too.
const MISSPELT: usize = 3;

/// The sections and what is in them.
pub(super) fn sections() -> impl Iterator<Item = (&'static str, &'static Meta)> {
    let fields = <Config as confique::Config>::META.fields.iter();
    fields.filter_map(|section| match section.kind {
        FieldKind::Nested { meta } => Some((section.name, meta)),
        FieldKind::Leaf { .. } => None,
    })
}

/// The name and the variable of every setting.
fn settings() -> impl Iterator<Item = (String, &'static str)> {
    sections().flat_map(|(section, meta)| {
        meta.fields.iter().filter_map(move |field| match field.kind {
            FieldKind::Leaf { env, .. } => Some((format!("{section}.{}", field.name), env.unwrap_or_default())),
            FieldKind::Nested { .. } => None,
        })
    })
}

/// Refuses names in a file that are none. `file` is what the file is called.
pub(super) fn check_file(file: &str, table: &toml::Table) -> Result<(), ConfigError> {
    for (section, value) in table {
        if !sections().any(|(known, _)| known == section) {
            let all = sections().map(|(known, _)| known.to_owned());
            return Err(unknown(&format!("{file}: there is no section [{section}]"), section, all));
        }
        for name in value.as_table().into_iter().flat_map(toml::Table::keys) {
            let name = format!("{section}.{name}");
            if !settings().any(|(known, _)| known == name) {
                let all = settings().map(|(known, _)| known);
                return Err(unknown(&format!("{file}: there is no setting {name}"), &name, all));
            }
        }
    }
    Ok(())
}

/// Refuses variables that are nearly settings.
pub(super) fn check_variables(names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    for name in names.filter(|name| name.starts_with(PREFIX)) {
        let all = || settings().map(|(_, variable)| variable.to_owned());
        let nearest = all().map(|known| distance(&name, &known)).min();
        if nearest.is_some_and(|nearest| (1..=MISSPELT).contains(&nearest)) {
            return Err(unknown(&format!("the environment: there is no setting {name}"), &name, all()));
        }
    }
    Ok(())
}

fn unknown(what: &str, name: &str, all: impl Iterator<Item = String>) -> ConfigError {
    let nearest = all.min_by_key(|known| distance(name, known)).unwrap_or_default();
    ConfigError::Refused(format!("{what}; the nearest is {nearest}, and `firstcome config` shows all"))
}

/// How many letters must be put in, taken out or changed to make one name the other.
fn distance(one: &str, other: &str) -> usize {
    let other = other.as_bytes();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.bytes().enumerate() {
        let mut before = row[0];
        row[0] = line + 1;
        for (column, of_other) in other.iter().enumerate() {
            let changed = before + usize::from(letter != *of_other);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused_with_the_nearest_known_one() {
        for (text, named) in [
            ("[server]\nlistn = \"x\"\n", "server.listen"),
            ("[server]\nenviroment = \"production\"\n", "server.environment"),
            ("[servr]\n", "server"),
            ("environment = \"production\"\n", "[environment]"),
        ] {
            let error = check_file("c.toml", &text.parse().expect("TOML")).expect_err(text).to_string();
            assert!(error.starts_with("c.toml: ") && error.contains(named), "{error}");
        }
        let good = "[server]\nenvironment = \"production\"\n[log]\nformat = \"json\"\n";
        check_file("c.toml", &good.parse().expect("TOML")).expect("all known");
        let error = check_variables(["FIRSTCOME_SERVER_LISTN".to_owned()].into_iter()).expect_err("unknown");
        assert!(error.to_string().contains("nearest is FIRSTCOME_SERVER_LISTEN,"), "{error}");
        let known = ["PATH", "FIRSTCOME_KEEP", "FIRSTCOME_PORT", "FIRSTCOME_SERVER_LISTEN"].map(str::to_owned);
        check_variables(known.into_iter()).expect("all known or not ours");
    }

    #[test]
    fn distances() {
        assert_eq!((distance("", "abc"), distance("abc", ""), distance("abc", "abc")), (3, 3, 0));
        assert_eq!((distance("listn", "listen"), distance("kitten", "sitting")), (1, 3));
    }
}
