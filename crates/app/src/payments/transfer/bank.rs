//! Banks and account numbers, as Korean banks write them.

/// The codes of banks that money can be sent to (the provider's list, `docs.tosspayments.com/codes/org-codes`).
const BANKS: [&str; 26] = [
    "02", "03", "06", "07", "11", "12", "20", "23", "27", "31", "32", "34", "35", "37", "39", "45", "48", "50", "54",
    "64", "71", "81", "88", "89", "90", "92",
];

/// The code of a bank.
pub(super) fn is_bank(code: &str, (): &()) -> garde::Result {
    if BANKS.contains(&code) {
        return Ok(());
    }
    Err(garde::Error::new("must be the code of a Korean bank, for example 88"))
}

/// The number of an account: 6 to 20 digits, hyphens allowed between them.
pub(super) fn is_account(number: &str, (): &()) -> garde::Result {
    let count = digits(number).len();
    if (6..=20).contains(&count) && is_written_in_digits(number) {
        return Ok(());
    }
    Err(garde::Error::new("must be 6 to 20 digits"))
}

/// Whether there are only digits, and hyphens between them.
pub(super) fn is_written_in_digits(text: &str) -> bool {
    text.split('-').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The digits of a number.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_digits() {
        for good in ["123456", "110-123-456789", "12345678901234567890"] {
            assert!(is_account(good, &()).is_ok(), "{good}");
        }
        for bad in ["", "12345", "-123456", "123456-", "12--3456", "123456789012345678901", "12345６", "123 456"] {
            assert!(is_account(bad, &()).is_err(), "{bad}");
        }
        assert_eq!(digits("110-123-456789"), "110123456789");
        assert!(is_bank("88", &()).is_ok() && is_bank("00", &()).is_err() && is_bank("", &()).is_err());
    }
}
