//! Checks of what people write. It ends up on pages, in mails, in logs and on labels: a control character in it is a
//! mistake or a trick.

/// A text of one line, such as a name.
pub fn one_line(text: &str, (): &()) -> garde::Result {
    printable(text, |_| false)
}

/// A text that may have several lines.
pub fn lines(text: &str, (): &()) -> garde::Result {
    printable(text, |letter| matches!(letter, '\n' | '\r' | '\t'))
}

/// More than blanks.
pub fn some_text(text: &str, (): &()) -> garde::Result {
    if text.trim().is_empty() { Err(garde::Error::new("must not be blank")) } else { Ok(()) }
}

fn printable(text: &str, allowed: impl Fn(char) -> bool) -> garde::Result {
    if text.chars().any(|letter| letter.is_control() && !allowed(letter)) {
        return Err(garde::Error::new("must not have control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_no_text() {
        assert!(some_text(" a ", &()).is_ok());
        for text in ["", " ", "\u{3000}\u{a0}"] {
            assert!(some_text(text, &()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["", "상품권 50,000원", "a b", "🎟️"] {
            assert!(one_line(text, &()).is_ok() && lines(text, &()).is_ok(), "{text:?}");
        }
        for text in ["a\nb", "a\tb", "a\r\n"] {
            assert!(one_line(text, &()).is_err() && lines(text, &()).is_ok(), "{text:?}");
        }
        for text in ["\0", "a\u{1b}[31m", "\u{7f}", "\u{85}"] {
            assert!(one_line(text, &()).is_err() && lines(text, &()).is_err(), "{text:?}");
        }
    }
}
