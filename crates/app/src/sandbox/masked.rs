//! What people say of themselves, as the sandbox keeps and shows it: enough to recognise it, too little to know it.

/// A text of which the first sign is left.
pub(super) fn name(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| format!("{first}**")).unwrap_or_default()
}

/// A number of which the last two digits are left.
pub(super) fn number(text: &str) -> String {
    let end: String = text.chars().skip(text.chars().count().saturating_sub(2)).collect();
    format!("****{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_left() {
        assert_eq!((name("김민수").as_str(), name("").as_str()), ("김**", ""));
        assert_eq!((number("110123456789").as_str(), number("7").as_str()), ("****89", "****7"));
    }
}
