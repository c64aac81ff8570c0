//! The two languages of the pages: which one a visitor gets, and the texts in it (Fluent, under `locales/`).

use std::borrow::Cow;
use std::collections::HashMap;

use axum::http::{HeaderMap, header};
use axum::response::Response;
use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader};
use serde::Deserialize;

use super::cookies::{Cookies, Lifetime};
use super::fields::Fields;
use super::respond::{local_path, redirect};
use super::visitor::Visitor;

fluent_templates::static_loader! {
    static TEXTS = {
        locales: "./locales",
        fallback_language: "en",
        // Marks around arguments are for right-to-left texts; in HTML attributes they only disturb.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// The cookie that remembers the visitor's choice.
pub(super) const COOKIE: &str = "fc_lang";

/// A language that the pages speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Language {
    /// Korean.
    Korean,
    /// English.
    English,
}

impl Language {
    /// As in `lang="..."`.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::Korean => "ko",
            Self::English => "en",
        }
    }

    /// The other one, to switch to.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Korean => Self::English,
            Self::English => Self::Korean,
        }
    }

    /// Its name in itself.
    pub(super) const fn own_name(self) -> &'static str {
        match self {
            Self::Korean => "한국어",
            Self::English => "English",
        }
    }

    fn parse(tag: &str) -> Option<Self> {
        match tag.trim().split('-').next()?.to_ascii_lowercase().as_str() {
            "ko" => Some(Self::Korean),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// The visitor's choice, else the best of `Accept-Language`. Nobody said anything: Korean, the shop's own;
    /// someone asked for languages that we do not speak: English.
    pub(super) fn of(headers: &HeaderMap, cookies: &Cookies) -> Self {
        if let Some(chosen) = cookies.get(COOKIE).and_then(Self::parse) {
            return chosen;
        }
        match headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()) {
            None => Self::Korean,
            Some(accepted) => Self::negotiate(accepted),
        }
    }

    fn negotiate(accepted: &str) -> Self {
        let mut best = (0.0, Self::English);
        for range in accepted.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            // The first of equal weight wins: people list what they like best first.
            if let Some(language) = Self::parse(tag).filter(|_| weight > best.0) {
                best = (weight, language);
            }
        }
        best.1
    }

    fn identifier(self) -> &'static LanguageIdentifier {
        static KOREAN: LanguageIdentifier = fluent_templates::langid!("ko");
        static ENGLISH: LanguageIdentifier = fluent_templates::langid!("en");
        match self {
            Self::Korean => &KOREAN,
            Self::English => &ENGLISH,
        }
    }

    /// The text of this name; the name itself when there is none, which a test excludes.
    pub(super) fn text(self, name: &str) -> String {
        self.find(name, &[]).unwrap_or_else(|| name.to_owned())
    }

    /// The text of this name with its arguments filled in.
    pub(super) fn text_with(self, name: &str, arguments: &[(&'static str, FluentValue<'_>)]) -> String {
        self.find(name, arguments).unwrap_or_else(|| name.to_owned())
    }

    /// The text of this name, if there is one.
    pub(super) fn find(self, name: &str, arguments: &[(&'static str, FluentValue<'_>)]) -> Option<String> {
        let arguments: HashMap<Cow<'static, str>, FluentValue<'_>> =
            arguments.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect();
        TEXTS.try_lookup_with_args(self.identifier(), name, &arguments)
    }
}

#[derive(Deserialize)]
pub(super) struct Choice {
    to: String,
    next: Option<String>,
}

/// Remembers the visitor's language and goes back to where they were.
pub(super) async fn switch(visitor: Visitor, Fields(choice): Fields<Choice>) -> Response {
    let language = Language::parse(&choice.to).unwrap_or(visitor.language);
    let mut response = redirect(local_path(choice.next.as_deref()).unwrap_or("/"));
    visitor.cookie(COOKIE, language.tag(), Lifetime::Year).set_on(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiates_by_weight() {
        assert_eq!(Language::negotiate("en-US,ko;q=0.8"), Language::English);
        assert_eq!(Language::negotiate("fr, en;q=0.5, ko-KR;q=0.9"), Language::Korean);
        assert_eq!(Language::negotiate("fr"), Language::English);
        assert_eq!(Language::negotiate("ko;q=zero, en;q=0.1"), Language::English);
        assert_eq!(Language::negotiate(""), Language::English);
    }
}
