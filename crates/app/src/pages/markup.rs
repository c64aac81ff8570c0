//! Small pieces of HTML that templates need in many places: `{{ page.icon("shop") }}`, `{{ page.csrf_field() }}`.

use std::fmt;

use askama::filters::HtmlSafe;

use super::contract::Refund;
use super::visitor::Visitor;
use crate::http::escape;

/// HTML that is put into a page as it is. Made here only, from constants and checked parts.
pub(super) struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

/// A name that can stand in an attribute.
fn plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

impl Visitor {
    fn symbol(&self, class: &str, name: &str) -> Markup {
        let name = if plain(name) { name } else { "shop" };
        let file = self.asset("icons.svg");
        Markup(format!(
            "<svg class=\"{class}\" aria-hidden=\"true\" focusable=\"false\"><use href=\"{file}#{name}\"/></svg>"
        ))
    }

    /// An icon of the sprite.
    pub(super) fn icon(&self, name: &str) -> Markup {
        self.symbol("icon", name)
    }

    /// The picture of a kind of product.
    pub(super) fn art(&self, kind: &str) -> Markup {
        self.symbol("picture", &format!("art-{kind}"))
    }

    /// The icon above an order.
    pub(super) fn order_icon(&self, state: &str) -> Markup {
        let name = match state {
            "PENDING" => "hourglass",
            "PAYING" => "spinner",
            "COMPLETED" => "check",
            "FAILED" | "EXPIRED" => "warning",
            _ => "refund",
        };
        self.symbol("icon head-icon", name)
    }

    /// A text for cameras; nothing when it is too long.
    pub(super) fn qr(&self, text: &str) -> Markup {
        Markup(crate::qr::svg(text).unwrap_or_default())
    }

    /// The hidden field that every form needs.
    pub(super) fn csrf_field(&self) -> Markup {
        // The visitor's token was checked to be plain when it was read from the cookie.
        Markup(format!("<input type=\"hidden\" name=\"csrf\" value=\"{}\">", self.csrf))
    }

    /// Marks the navigation's link to where the visitor is.
    pub(super) fn current(&self, section: &str) -> Markup {
        let path = self.path.split('?').next().unwrap_or_default();
        let here = match section {
            "/" => path == "/" || path.starts_with("/offers"),
            _ => path == section || path.strip_prefix(section).is_some_and(|rest| rest.starts_with('/')),
        };
        Markup(if here { " aria-current=\"page\"".to_owned() } else { String::new() })
    }

    /// Marks the link to exactly this page.
    pub(super) fn exactly(&self, page: &str) -> Markup {
        let here = self.path.split('?').next() == Some(page);
        Markup(if here { " aria-current=\"page\"".to_owned() } else { String::new() })
    }

    /// A text for the query of a link.
    pub(super) fn escaped(&self, text: &str) -> String {
        escape(text)
    }

    /// What is said about a refund.
    pub(super) fn refund(&self, refund: &Refund) -> String {
        let state = if plain(&refund.state) { refund.state.as_str() } else { "PENDING" };
        self.say(&format!("refund-{state}"), self.money(&refund.money()))
    }
}
