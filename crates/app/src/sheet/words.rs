//! Words in CSV that no spreadsheet takes for a formula. An apostrophe before them says that they are words, as people write it
//! in a cell; who reads the file takes it off again.

/// What spreadsheets take for the beginning of a formula, in Korean and Japanese ones the wide signs too.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// What people wrote, as it is written into a file.
pub fn guarded(text: &str) -> String {
    if needs_guard(text) { format!("'{text}") } else { text.to_owned() }
}

/// What people wrote, as it was read from a file.
pub fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|words| needs_guard(words)).unwrap_or(text)
}

/// Also what is a guarded text itself, so that it comes back as it was.
fn needs_guard(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guarded_comes_back_and_what_need_not_be_is_left() {
        for formula in ["=1+1", "+82", "-5", "@x", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x", "'=1", "''=1"]
        {
            let cell = guarded(formula);
            assert!(cell.starts_with('\'') && cell.len() == formula.len() + 1, "{cell}");
            assert_eq!(unguarded(&cell), formula);
        }
        for words in ["", "a=1", "'Tis", "''", "5 - 3", "한글"] {
            assert_eq!((guarded(words).as_str(), unguarded(words)), (words, words));
        }
    }
}
