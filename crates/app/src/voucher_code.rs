//! Codes of vouchers: what their owners show and type.

use firstcome_core::ports::{Random, random_bytes};

/// Letters of a code: Crockford's base 32, which has no I, L, O and U to be misread.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters in a code: 80 random bits.
const CODE: usize = 16;
const GROUP: usize = 4;

/// A code that nobody can guess.
pub(crate) fn new_code(random: &dyn Random) -> String {
    let bytes: [u8; CODE] = random_bytes(random);
    let mut code = String::with_capacity(CODE + CODE / GROUP);
    for (place, byte) in bytes.iter().enumerate() {
        if place > 0 && place % GROUP == 0 {
            code.push('-');
        }
        code.push(char::from(LETTERS[usize::from(byte & 31)]));
    }
    code
}

/// A code as it is stored, from what a person typed: in either case, with or without dashes and spaces, with O for 0 and I
/// or L for 1. None when it cannot be one.
pub(crate) fn normal_code(typed: &str) -> Option<String> {
    let mut code = String::with_capacity(CODE + CODE / GROUP);
    let mut letters = 0;
    for letter in typed.chars().filter(|letter| !matches!(letter, '-' | ' ')) {
        let letter = match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        if letters == CODE || !LETTERS.iter().any(|known| char::from(*known) == letter) {
            return None;
        }
        if letters > 0 && letters % GROUP == 0 {
            code.push('-');
        }
        code.push(letter);
        letters += 1;
    }
    (letters == CODE).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_type_them() {
        let code = "0123-4567-89AB-CDEF";
        assert_eq!(normal_code(code).as_deref(), Some(code));
        assert_eq!(normal_code("oi23 4567 89ab cdef").as_deref(), Some(code));
        assert_eq!(normal_code("0123-4567-89AB-CDE"), None);
        assert_eq!(normal_code("0123-4567-89AB-CDEFG"), None);
        assert_eq!(normal_code("0123-4567-89AB-CDE\u{ac00}"), None);
    }
}
