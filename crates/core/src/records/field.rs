//! Rust types as column values.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Kind, Value};
use crate::ids::{
    ActionId, AddressId, CategoryId, ConsentId, DeliveryId, EventId, IdentityCheckId, ImageId, MailId, MailingId,
    NoticeId, OfferId, OfferNumber, OrderId, PaymentId, ProductId, RefundId, SessionId, SettlementId, UserId,
    VoucherId, WebhookId,
};
use crate::money::Currency;
use crate::time::Time;

/// A stored value is not of the type that its column should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stored value is not a {0}")]
pub struct WrongValue(pub &'static str);

/// A type that fits in a column.
pub trait Field: Sized {
    /// The kind of its column.
    const KIND: Kind;
    /// Whether it may be empty.
    const NULLABLE: bool = false;
    /// The value that stands for it.
    fn to_value(&self) -> Value;
    /// Reads it back.
    fn from_value(value: Value) -> Result<Self, WrongValue>;
}

impl Field for i64 {
    const KIND: Kind = Kind::Integer;
    fn to_value(&self) -> Value {
        Value::Integer(*self)
    }
    fn from_value(value: Value) -> Result<Self, WrongValue> {
        match value {
            Value::Integer(number) => Ok(number),
            _ => Err(WrongValue("number")),
        }
    }
}

macro_rules! integer_field {
    ($($type:ty),*) => {$(
        impl Field for $type {
            const KIND: Kind = Kind::Integer;
            fn to_value(&self) -> Value {
                Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
            fn from_value(value: Value) -> Result<Self, WrongValue> {
                Self::try_from(i64::from_value(value)?).map_err(|_| WrongValue(stringify!($type)))
            }
        }
    )*};
}
integer_field!(u8, u16, u32, u64);

impl Field for bool {
    const KIND: Kind = Kind::Integer;
    fn to_value(&self) -> Value {
        Value::Integer(i64::from(*self))
    }
    fn from_value(value: Value) -> Result<Self, WrongValue> {
        Ok(i64::from_value(value)? != 0)
    }
}

impl Field for Time {
    const KIND: Kind = Kind::Integer;
    fn to_value(&self) -> Value {
        Value::Integer(self.0)
    }
    fn from_value(value: Value) -> Result<Self, WrongValue> {
        i64::from_value(value).map(Self)
    }
}

impl Field for OfferNumber {
    const KIND: Kind = Kind::Integer;
    fn to_value(&self) -> Value {
        Value::Integer(i64::from(self.0))
    }
    fn from_value(value: Value) -> Result<Self, WrongValue> {
        u32::from_value(value).map(Self)
    }
}

impl Field for String {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
    fn from_value(value: Value) -> Result<Self, WrongValue> {
        match value {
            Value::Text(text) => Ok(text),
            _ => Err(WrongValue("text")),
        }
    }
}

impl Field for &str {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text((*self).to_owned())
    }
    /// Only for filters; a row is read as [`String`].
    fn from_value(_: Value) -> Result<Self, WrongValue> {
        Err(WrongValue("borrowed text"))
    }
}

impl Field for Currency {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.as_str().to_owned())
    }
    fn from_value(value: Value) -> Result<Self, WrongValue> {
        String::from_value(value)?.parse().map_err(|_| WrongValue("currency"))
    }
}

impl Field for Vec<u8> {
    const KIND: Kind = Kind::Blob;
    fn to_value(&self) -> Value {
        Value::Blob(self.clone())
    }
    fn from_value(value: Value) -> Result<Self, WrongValue> {
        match value {
            Value::Blob(bytes) => Ok(bytes),
            _ => Err(WrongValue("blob")),
        }
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::to_value)
    }
    fn from_value(value: Value) -> Result<Self, WrongValue> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

macro_rules! id_field {
    ($($type:ty),*) => {$(
        impl Field for $type {
            const KIND: Kind = Kind::Blob;
            fn to_value(&self) -> Value {
                Value::Blob(self.0.to_vec())
            }
            fn from_value(value: Value) -> Result<Self, WrongValue> {
                let bytes = Vec::<u8>::from_value(value)?;
                bytes.try_into().map(Self).map_err(|_| WrongValue(stringify!($type)))
            }
        }
    )*};
}
id_field!(
    ActionId,
    AddressId,
    CategoryId,
    ConsentId,
    DeliveryId,
    EventId,
    IdentityCheckId,
    ImageId,
    MailId,
    MailingId,
    NoticeId,
    OfferId,
    OrderId,
    PaymentId,
    ProductId,
    RefundId,
    SessionId,
    SettlementId,
    UserId,
    VoucherId,
    WebhookId
);

/// Anything that serde knows, kept as a JSON text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned> Field for Json<T> {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        // What cannot be written reads back as an error instead of as something else.
        Value::Text(serde_json::to_string(&self.0).unwrap_or_default())
    }
    fn from_value(value: Value) -> Result<Self, WrongValue> {
        let text = String::from_value(value)?;
        serde_json::from_str(&text).map(Self).map_err(|_| WrongValue("JSON text"))
    }
}
