//! The codes of an authenticator app: time-based one-time passwords (RFC 6238) of six digits by SHA-1, a new one every 30
//! seconds. Every app takes these.

use aws_lc_rs::hmac;
use firstcome_core::time::Time;

use super::tokens::same;
use crate::http::escape;

/// Bytes of a secret: as many as SHA-1 has (RFC 4226).
pub(super) const SECRET_BYTES: usize = 20;
/// Seconds of a step.
const STEP: i64 = 30;
/// Digits of a code.
pub(super) const DIGITS: usize = 6;
/// Steps that the clock of a phone may be off, to either side.
const DRIFT: i64 = 1;
/// The alphabet of base 32 (RFC 4648).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step of which this is the code, if it is one of about now and later than `after`: a code is used once.
pub(super) fn step_of(secret: &[u8], code: &str, after: i64, now: Time) -> Option<i64> {
    let current = now.as_secs().div_euclid(STEP);
    (current - DRIFT..=current + DRIFT)
        .filter(|step| *step > after)
        .find(|step| same(code_of(secret, *step).as_bytes(), code.as_bytes()))
}

/// The code of a step.
pub(super) fn code_of(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let mac = tag.as_ref();
    // Dynamic truncation (RFC 4226, 5.3): the last four bits say where to read.
    let offset = usize::from(mac[mac.len() - 1] & 15);
    let number = u32::from_be_bytes([mac[offset], mac[offset + 1], mac[offset + 2], mac[offset + 3]]) & 0x7fff_ffff;
    format!("{:0DIGITS$}", number % 1_000_000)
}

/// The address that an app reads as a QR code. It names the account to whoever has several.
pub(super) fn address(secret: &str, email: &str) -> String {
    let email = escape(email);
    format!(
        "otpauth://totp/Firstcome:{email}?secret={secret}&issuer=Firstcome&algorithm=SHA1&digits={DIGITS}&period={STEP}"
    )
}

/// A secret as people type it.
pub(super) fn to_text(secret: &[u8]) -> String {
    let mut text = String::with_capacity(secret.len().div_ceil(5) * 8);
    for chunk in secret.chunks(5) {
        let mut group = [0; 8];
        group[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(group);
        let letters = (chunk.len() * 8).div_ceil(5);
        text.extend((0..letters).map(|place| char::from(ALPHABET[(bits >> (35 - 5 * place) & 31) as usize])));
    }
    text
}

/// Reads a secret that [`to_text`] wrote; none when the text is not one.
pub(super) fn from_text(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(SECRET_BYTES), 0_u32, 0);
    for letter in text.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == letter)?;
        bits = bits << 5 | digit as u32;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_standard() {
        // RFC 6238, appendix B: the last six of its eight digits.
        let secret = b"12345678901234567890";
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_of(secret, second / STEP), code);
            assert_eq!(step_of(secret, code, 0, Time::from_millis(second * 1000)), Some(second / STEP));
        }
    }

    #[test]
    fn a_clock_may_be_off_by_a_step_and_a_code_is_used_once() {
        let (secret, step) = (b"12345678901234567890", 37_037_037);
        let at = |step: i64| Time::from_millis(step * STEP * 1000);
        let code = code_of(secret, step);
        for (now, found) in [(step - 2, None), (step - 1, Some(step)), (step + 1, Some(step)), (step + 2, None)] {
            assert_eq!(step_of(secret, &code, 0, at(now)), found);
        }
        assert_eq!(step_of(secret, &code, step, at(step)), None);
        assert_eq!(step_of(secret, &code_of(secret, step - 1), step, at(step)), None);
        for odd in ["", "1", "1234567", "１２３４５６"] {
            assert_eq!(step_of(secret, odd, 0, at(step)), None);
        }
    }

    #[test]
    fn secrets_as_text() {
        // RFC 4648, section 10, without padding.
        for (bytes, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(to_text(bytes.as_bytes()), text);
            assert_eq!(from_text(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(from_text("MZ1"), None);
    }

    #[test]
    fn an_address_is_one_whatever_is_in_the_e_mail() {
        let address = address("GEZDGNBV", "kim+a&b@example.com");
        assert!(address.starts_with("otpauth://totp/Firstcome:kim%2Ba%26b%40example.com?secret=GEZDGNBV&issuer="));
    }
}
