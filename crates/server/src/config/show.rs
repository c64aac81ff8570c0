//! The settings in force, with where each came from.

use std::path::Path;

use confique::meta::{FieldKind, Meta};
use serde_json::Value;

use super::{Config, ConfigError, Overrides};

/// Names of settings whose values are never shown.
const SECRET: &[&str] = &["secret_key", "secret", "password"];

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Section and name, for example `server.listen`.
    pub name: String,
    /// The variable that sets it.
    pub variable: &'static str,
    /// Its value as text; secrets hidden, `(none)` when it has none.
    pub value: String,
    /// `default`, `file`, `environment` or `command line`.
    pub source: &'static str,
    /// What it does.
    pub description: String,
}

/// Every setting.
pub fn settings(config: &Config, file: Option<&Path>, overrides: &Overrides) -> Result<Vec<Setting>, ConfigError> {
    let values = serde_json::to_value(config).map_err(|error| ConfigError::Unreadable(error.to_string()))?;
    let file = file.map(read).transpose()?.unwrap_or_default();
    let mut settings = Vec::new();
    for (section, meta) in super::known::sections() {
        add_section(&mut settings, section, meta, &values, &file, overrides);
    }
    Ok(settings)
}

fn read(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable(error.to_string()))?;
    text.parse().map_err(|error: toml::de::Error| ConfigError::Unreadable(error.to_string()))
}

fn add_section(
    settings: &mut Vec<Setting>,
    section: &str,
    meta: &Meta,
    values: &Value,
    file: &toml::Table,
    overrides: &Overrides,
) {
    for field in meta.fields {
        let FieldKind::Leaf { env, .. } = field.kind else { continue };
        let variable = env.unwrap_or_default();
        let name = format!("{section}.{}", field.name);
        let in_file = file.get(section).and_then(|section| section.get(field.name)).is_some();
        let source = if on_command_line(&name, overrides) {
            "command line"
        } else if std::env::var_os(variable).is_some() {
            "environment"
        } else if in_file {
            "file"
        } else {
            "default"
        };
        let value = show(field.name, &values[section][field.name]);
        let description = field.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        settings.push(Setting { name, variable, value, source, description });
    }
}

fn on_command_line(name: &str, overrides: &Overrides) -> bool {
    match name {
        "server.data" => overrides.data.is_some(),
        "server.listen" => overrides.listen.is_some(),
        "server.demo" => overrides.no_demo,
        "server.roles" => overrides.roles.is_some(),
        _ => false,
    }
}

fn show(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        _ if SECRET.contains(&name) => "(hidden)".to_owned(),
        Value::String(text) => without_passwords(text),
        other => other.to_string(),
    }
}

/// Addresses of servers, with what stands between the name of the user and the `@` hidden.
pub(crate) fn without_passwords(text: &str) -> String {
    let hide = |address: &str| {
        let (scheme, rest) = address.split_once("://")?;
        let (user, host) = rest.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        Some(format!("{scheme}://{name}:(hidden)@{host}"))
    };
    let addresses = text.split(',').map(|address| hide(address).unwrap_or_else(|| address.to_owned()));
    addresses.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_where_values_come_from_and_hides_secrets() {
        let overrides = Overrides { listen: Some(([127, 0, 0, 1], 1).into()), ..Overrides::default() };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("c.toml");
        let text = "[payments]\nprovider_url = \"https://psp.example\"\nsecret_key = \"live_sk\"\n";
        std::fs::write(&path, text).expect("written");
        let config = super::super::load(Some(&path), &overrides).expect("loads");
        let all = settings(&config, Some(&path), &overrides).expect("shown");
        let find = |name: &str| all.iter().find(|setting| setting.name == name).expect("a setting").clone();
        assert_eq!(find("server.listen").source, "command line");
        assert_eq!(find("payments.secret_key").value, "(hidden)");
        assert_eq!(find("payments.secret_key").source, "file");
        assert_eq!(find("server.data").source, "default");
        assert!(
            all.iter().all(|setting| !setting.description.is_empty() && setting.variable.starts_with("FIRSTCOME_"))
        );
    }

    #[test]
    fn passwords_are_hidden_in_addresses() {
        assert_eq!(without_passwords("mysql://root:a:b@c@db:3306/orders"), "mysql://root:(hidden)@db:3306/orders");
        let two = "redis://:secret@one:6379,redis://two:6379";
        assert_eq!(without_passwords(two), "redis://:(hidden)@one:6379,redis://two:6379");
        assert_eq!(without_passwords("Asia/Seoul"), "Asia/Seoul");
    }
}
