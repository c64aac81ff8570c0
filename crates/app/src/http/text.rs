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

/// More than blanks and what nobody sees.
pub fn some_text(text: &str, (): &()) -> garde::Result {
    if text.chars().all(is_unseen) { Err(garde::Error::new("must not be blank")) } else { Ok(()) }
}

/// Blanks, controls, marks of how text, shorthand, hieroglyphs or music are broken, joined or turned, variants of what stands
/// before, and fillers.
fn is_unseen(letter: char) -> bool {
    let is_mark = matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{13430}'..='\u{13440}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}');
    is_mark || letter.is_whitespace() || letter.is_control()
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
        for text in [" a ", "\u{200b}가", "선\u{200d}물", "🎁", "👨\u{200d}👩\u{200d}👧"] {
            assert!(some_text(text, &()).is_ok(), "{text:?}");
        }
        for text in ["", " ", "\u{3000}\u{a0}", "\u{200b}\u{2060}", " \u{feff}\u{3164} ", "\u{202e}\u{e0041}"] {
            assert!(some_text(text, &()).is_err(), "{text:?}");
        }
        for text in ["\u{1d173}\u{1d17a}", "\u{1d159}", "\u{1bca0}", "\u{13430}"] {
            assert!(some_text(text, &()).is_err() && some_text(&format!("{text}𝄞"), &()).is_ok(), "{text:?}");
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
