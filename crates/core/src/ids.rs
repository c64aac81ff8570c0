//! Identifiers: 128-bit UUIDs (RFC 9562), shown to people as TypeIDs (`ord_01h...`, <https://github.com/jetify-com/typeid>).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::time::Time;

/// Crockford's base 32 in lower case, the alphabet of TypeIDs.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an encoded UUID: 128 bits in groups of five, the first group holding three.
const ENCODED: usize = 26;

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form {prefix}_ followed by 26 characters")]
pub struct InvalidId {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

fn encode(bytes: [u8; 16], out: &mut [u8; ENCODED]) {
    let mut rest = u128::from_be_bytes(bytes);
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
}

fn decode(text: &[u8]) -> Option<[u8; 16]> {
    // The first character carries only three bits, so anything above '7' would not fit in 128 bits.
    if text.len() != ENCODED || text[0] > b'7' {
        return None;
    }
    let mut value: u128 = 0;
    for byte in text {
        let digit = ALPHABET.iter().position(|letter| letter == byte)?;
        value = (value << 5) | digit as u128;
    }
    Some(value.to_be_bytes())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// What every such id starts with, before the underscore.
            pub const PREFIX: &'static str = $prefix;
            /// The id that stands for none; never given to anything.
            pub const NIL: Self = Self([0; 16]);

            /// An id that sorts by `now` (UUIDv7); `random` supplies the rest.
            pub fn at(now: Time, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                Self(*uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().as_bytes())
            }

            /// The same id for the same parts, for ever: SHA-256 of them under this kind's name, as a UUIDv8.
            pub fn derived(parts: &[&[u8]]) -> Self {
                let hash = digest_parts(Self::PREFIX, parts);
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&hash[..16]);
                Self(*uuid::Builder::from_custom_bytes(bytes).into_uuid().as_bytes())
            }

            /// Whether this is [`Self::NIL`].
            pub fn is_nil(self) -> bool {
                self == Self::NIL
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; ENCODED];
                encode(self.0, &mut text);
                let text = std::str::from_utf8(&text).map_err(|_| fmt::Error)?;
                write!(formatter, "{}_{text}", Self::PREFIX)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(Self::PREFIX)
                    .and_then(|rest| rest.strip_prefix('_'))
                    .and_then(|rest| decode(rest.as_bytes()))
                    .map(Self)
                    .ok_or(InvalidId { prefix: Self::PREFIX })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(formatter, "an id that starts with {}_", $prefix)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes = decoder.bytes()?;
                bytes.try_into().map(Self).map_err(|_| minicbor::decode::Error::message("an id has 16 bytes"))
            }
        }
    };
}

id!(/// A person with an account.
    UserId, "usr");
impl UserId {
    /// When the id was given, to the millisecond: the account's registration. None for an id that does not tell.
    pub fn created_at(self) -> Option<Time> {
        let millis = self.0[..6].iter().fold(0_i64, |millis, byte| millis << 8 | i64::from(*byte));
        (self.0[6] >> 4 == 7).then(|| Time::from_millis(millis))
    }
}

id!(/// What is sold.
    ProductId, "prd");
id!(/// What buyers narrow the shop down by.
    CategoryId, "cat");
id!(/// A picture, by what is in it.
    ImageId, "img");
id!(/// A product on sale. Carries its [`OfferNumber`].
    OfferId, "ofr");
id!(/// What a buyer asked for. Carries the number of its home offer and the hash of its idempotency key.
    OrderId, "ord");
id!(/// One attempt to collect the money of an order.
    PaymentId, "pay");
id!(/// One attempt to send money back.
    RefundId, "rfd");
id!(/// What is delivered digitally.
    VoucherId, "vch");
id!(/// A device that is logged in.
    SessionId, "ses");
id!(/// A message between roles.
    EventId, "evt");
id!(/// A shipping address, kept encrypted by the role that owns it; journals carry only this reference.
    AddressId, "adr");
id!(/// An e-mail on its way.
    MailId, "mal");
id!(/// A system of the seller's that is told what happens.
    WebhookId, "whk");
id!(/// One thing that such systems are told; the same to each, however often it is sent.
    NoticeId, "msg");
id!(/// One notice on its way to one system.
    DeliveryId, "dlv");
id!(/// Something that somebody agreed to, or took back.
    ConsentId, "cns");
id!(/// Advertising to those who agreed to it.
    MailingId, "mlg");
id!(/// A check of who somebody is.
    IdentityCheckId, "idc");
id!(/// Something that a person of the shop did.
    ActionId, "act");
id!(/// A comparison of the provider's movements of money with ours.
    SettlementId, "stl");

/// The short name of an offer inside ledgers and journals; given once, by the catalog, and never again.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, minicbor::Encode, minicbor::Decode,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct OfferNumber(#[n(0)] pub u32);

impl OfferNumber {
    /// The bit that no offer of the catalogue has.
    const ACCOUNT: u32 = 1 << 31;

    /// The account of the vouchers that this offer sells: an offer of the ledger that nobody buys. A coupon may have one
    /// unit of it, a gift card as many as minor units were put on it. Whoever takes units uses the voucher.
    #[must_use]
    pub fn account(self) -> Self {
        Self(self.0 | Self::ACCOUNT)
    }

    /// Whether it is such an account.
    pub fn is_account(self) -> bool {
        self.0 & Self::ACCOUNT != 0
    }
}

impl fmt::Display for OfferNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{}", self.0)
    }
}

impl OfferId {
    /// An id that sorts by `now` and ends with the offer's number.
    pub fn numbered(now: Time, number: OfferNumber, random: [u8; 6]) -> Self {
        let mut bytes = [0; 16];
        let millis = u64::try_from(now.as_millis()).unwrap_or(0).to_be_bytes();
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6..12].copy_from_slice(&random);
        bytes[12..].copy_from_slice(&number.0.to_be_bytes());
        Self(*uuid::Builder::from_custom_bytes(bytes).into_uuid().as_bytes())
    }

    /// The offer's number, read from the id.
    pub fn number(self) -> OfferNumber {
        OfferNumber(u32::from_be_bytes([self.0[12], self.0[13], self.0[14], self.0[15]]))
    }
}

/// Hash of a person and their idempotency key: the first 60 bits of an order's id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct KeyHash(pub u64);

/// The first 64 bits of the SHA-256 of a request's body.
pub type BodyDigest = u64;

impl OrderId {
    /// The id of the order that `person` asks for with this idempotency key and body.
    ///
    /// The same request is the same id, also after a restart, so no table of keys stands on the hot path. UUIDv8:
    /// 48 + 12 bits of the key's hash, 32 bits of the home offer's number, 30 bits of the body's digest.
    pub fn of_request(person: UserId, idempotency_key: &str, body: BodyDigest, home: OfferNumber) -> Self {
        let hash = digest_parts("idempotency-key", &[&person.0, idempotency_key.as_bytes()]);
        let key = u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]) >> 4;
        Self::from_parts(KeyHash(key), body, home)
    }

    fn from_parts(key: KeyHash, body: BodyDigest, home: OfferNumber) -> Self {
        let high = (u128::from(key.0 >> 12) << 80) | (8 << 76) | (u128::from(key.0 & 0xfff) << 64);
        let low = (2 << 62) | (u128::from(home.0) << 30) | u128::from(body >> 34);
        Self((high | low).to_be_bytes())
    }

    /// The offer that decides about this order.
    pub fn home(self) -> OfferNumber {
        OfferNumber(((u128::from_be_bytes(self.0) >> 30) & 0xffff_ffff) as u32)
    }

    /// The hash of the person and idempotency key that asked for this order.
    pub fn key_hash(self) -> KeyHash {
        let value = u128::from_be_bytes(self.0);
        KeyHash((((value >> 80) as u64) << 12) | ((value >> 64) as u64 & 0xfff))
    }

    /// The smallest and the largest id that a request with this key can have, whatever its body and offer.
    pub fn range_of_key(key: KeyHash) -> (Self, Self) {
        (Self::from_parts(key, 0, OfferNumber(0)), Self::from_parts(key, u64::MAX, OfferNumber(u32::MAX)))
    }
}

impl RefundId {
    /// The refund of goods that came back, one per order. Like an order's id it says what it is: it begins with 48 zeros,
    /// as a hash does once in as many times as nobody will see; so the journal alone tells a return from a cancel.
    pub fn of_goods_returned(order: OrderId) -> Self {
        let Self(mut bytes) = Self::derived(&[&order.0, b"goods returned"]);
        bytes[..6].fill(0);
        Self(bytes)
    }

    /// Under which the home of an order over several offers notes that this refund took units back, of whichever lines. It
    /// tells a return from a cancel as the refund does.
    #[must_use]
    pub fn noted(self) -> Self {
        let Self(mut bytes) = Self::derived(&[b"noted", &self.0]);
        if self.is_of_goods_returned() {
            bytes[..6].fill(0);
        }
        Self(bytes)
    }

    /// Under which the home of an order over several offers notes that nothing of the order is left.
    pub fn of_nothing_left(order: OrderId) -> Self {
        Self::derived(&[&order.0, b"nothing left"])
    }

    /// Whether it is the refund of goods that came back.
    pub fn is_of_goods_returned(self) -> bool {
        self.0[..6] == [0; 6] && !self.is_nil()
    }
}

/// SHA-256 over a name and length-prefixed parts, so that no two lists of parts collide by concatenation.
pub fn digest_parts(name: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in std::iter::once(&name.as_bytes()).chain(parts) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The [`BodyDigest`] of a request body.
pub fn body_digest(body: &[u8]) -> BodyDigest {
    let hash = Sha256::digest(body);
    u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        let id = UserId::at(Time::from_millis(1_763_700_000_000), [7; 10]);
        assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
        assert!(id.to_string().starts_with("usr_"));
        assert_eq!(id.created_at(), Some(Time::from_millis(1_763_700_000_000)));
        assert_eq!(UserId::derived(&[b"someone"]).created_at(), None);
        assert!(id.to_string().replace("usr_", "ord_").parse::<UserId>().is_err());
    }

    #[test]
    fn known_typeid() {
        // The example of the TypeID specification.
        let bytes = [0x01, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc, 0xce, 0xb3, 0x02, 0x09, 0x9a, 0x80, 0x57];
        assert_eq!(UserId(bytes).to_string(), "usr_01h455vb4pex5vsknk084sn02q");
    }

    #[test]
    fn order_carries_offer_and_key() {
        let person = UserId([3; 16]);
        let home = OfferNumber(0xdead_beef);
        let one = OrderId::of_request(person, "k", 1 << 40, home);
        let two = OrderId::of_request(person, "k", 2 << 40, OfferNumber(7));
        assert_eq!(one.home(), home);
        assert_ne!(one, two);
        assert_eq!(one.key_hash(), two.key_hash());
        let (low, high) = OrderId::range_of_key(one.key_hash());
        assert!(low <= one && one <= high && low <= two && two <= high);
        assert_ne!(OrderId::of_request(UserId([4; 16]), "k", 1 << 40, home).key_hash(), one.key_hash());
    }

    #[test]
    fn an_account_is_no_offer() {
        let number = OfferNumber(42);
        assert!(!number.is_account() && number.account().is_account());
        assert_eq!(number.account().account(), number.account());
    }

    #[test]
    fn a_refund_tells_whether_goods_came_back() {
        let (one, two) = (OrderId([1; 16]), OrderId([2; 16]));
        assert!(RefundId::of_goods_returned(one).is_of_goods_returned());
        assert_ne!(RefundId::of_goods_returned(one), RefundId::of_goods_returned(two));
        assert!(!RefundId::derived(&[&one.0]).is_of_goods_returned() && !RefundId::NIL.is_of_goods_returned());
        assert!(RefundId::of_goods_returned(one).noted().is_of_goods_returned());
        assert!(!RefundId::derived(&[&one.0]).noted().is_of_goods_returned());
    }

    #[test]
    fn offer_carries_its_number() {
        let id = OfferId::numbered(Time::from_millis(1_763_700_000_000), OfferNumber(42), [1; 6]);
        assert_eq!(id.number(), OfferNumber(42));
    }
}
