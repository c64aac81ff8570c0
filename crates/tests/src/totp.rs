//! An authenticator app.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;

/// Seconds for which a code is shown.
const STEP: u64 = 30;

/// The code that is shown now for a secret in base 32.
pub fn totp(secret: &str) -> String {
    totp_later(secret, 0)
}

/// The code that is shown so many steps later.
pub fn totp_later(secret: &str, steps: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes(secret));
    let tag = hmac::sign(&key, &(now / STEP + steps).to_be_bytes());
    let offset = usize::from(tag.as_ref()[19] & 15);
    let four: [u8; 4] = tag.as_ref()[offset..offset + 4].try_into().expect("four bytes");
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

fn bytes(secret: &str) -> Vec<u8> {
    let bits: Vec<u8> = secret
        .bytes()
        .map(|letter| if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 })
        .flat_map(|digit| (0..5).rev().map(move |place| digit >> place & 1))
        .collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
}
