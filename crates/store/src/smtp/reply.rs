//! What a server's refusal is about.

use std::error::Error as _;

use lettre::transport::smtp::Error;

/// "Authentication required", whatever it stands behind.
const LOG_IN_MISSING: u16 = 530;

/// Whether a refusal is about who sends, and not about who receives or what is said: the server wants a log-in, relays for
/// others only, or does not trust the sender's domain. Whoever runs the shop mends that, so it is no refusal of the e-mail.
///
/// RFC 3463 keeps `5.7.x` for it, after the reply code; a server without such codes says "relay" in some way. A few use both
/// for one receiver or one text: such an e-mail is given up after its tries, and not at once.
pub(super) fn is_about_sender(error: &Error) -> bool {
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    error.is_permanent() && (error.status().map(u16::from) == Some(LOG_IN_MISSING) || speaks_of_sender(&said))
}

fn speaks_of_sender(said: &str) -> bool {
    match said.split_whitespace().next().filter(|word| is_status(word)) {
        Some(status) => status.starts_with("5.7."),
        None => said.to_ascii_lowercase().contains("relay"),
    }
}

/// `5.1.1`
fn is_status(word: &str) -> bool {
    let numbers: Vec<_> = word.split('.').collect();
    numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What well-known servers say.
    #[test]
    fn whom_a_refusal_is_about() {
        for said in [
            "5.7.1 <kim@shop.test>: Relay access denied",
            "5.7.1 Relaying denied. Proper authentication required.",
            "5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
            "relay not permitted",
            "we do not relay kim@shop.test",
            "5.7.26 This mail is unauthenticated",
        ] {
            assert!(speaks_of_sender(said), "{said}");
        }
        for said in [
            "5.1.1 <kim@shop.test>: Recipient address rejected: User unknown",
            "5.1.1 <relay@shop.test>: nobody has this address",
            "5.2.2 mailbox full",
            "no such user here",
            "",
        ] {
            assert!(!speaks_of_sender(said), "{said}");
        }
    }
}
