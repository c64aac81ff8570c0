//! Personal data: how it is checked, and how it goes into rows and out of them.

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{AddressId, UserId};
use firstcome_core::ports::{PortError, Random, Records, random_bytes};
use firstcome_core::records::{Comparison, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};

use super::records::{Address, User};
use crate::http::{Problem, Roles, lines, some_text};
use crate::secrets::{BlindIndex, Keys, Sealed, Sealer, Unreadable};

/// Characters that an e-mail address may have (RFC 5321).
const MAX_EMAIL: usize = 254;
const MAX_LOCAL_PART: usize = 64;

/// An e-mail address in lower case: two spellings of one mailbox are one account.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EmailAddress(String);

/// The text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as kim@example.com")]
pub struct InvalidEmail;

impl TryFrom<String> for EmailAddress {
    type Error = InvalidEmail;

    fn try_from(text: String) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let local_holds = (1..=MAX_LOCAL_PART).contains(&local.len())
            && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte));
        let label_holds = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let domain_holds = domain.contains('.') && domain.split('.').all(label_holds) || domain == "localhost";
        if text.len() > MAX_EMAIL || !local_holds || !domain_holds {
            return Err(InvalidEmail);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl EmailAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The keyed hash that stands for it in indexes.
    pub(super) fn index(&self, index: &BlindIndex) -> Vec<u8> {
        index.of(&[b"email", self.0.as_bytes()])
    }

    /// The keyed hash under which codes for a new password are kept: apart from those that verify the address.
    pub(super) fn reset_index(&self, index: &BlindIndex) -> Vec<u8> {
        index.of(&[b"password-reset", self.0.as_bytes()])
    }
}

/// A password as it was typed; wiped from memory when it is dropped, and never shown.
pub(super) struct Password(pub(super) SecretString);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

/// Checks a password that is to be.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde passes the context so")]
pub(super) fn password_length(password: &Password, _: &()) -> garde::Result {
    match password.0.expose_secret().chars().count() {
        8..=128 => Ok(()),
        _ => Err(garde::Error::new("must have 8 to 128 characters")),
    }
}

/// What an account is made from.
pub(super) struct NewPerson<'a> {
    pub(super) email: &'a EmailAddress,
    pub(super) name: &'a str,
    pub(super) phone: Option<&'a str>,
    pub(super) address: Option<&'a str>,
    pub(super) password: Option<String>,
    pub(super) roles: Roles,
}

/// A label on a parcel.
#[derive(Serialize, Deserialize)]
struct Label {
    name: String,
    phone: Option<String>,
    address: String,
}

impl NewPerson<'_> {
    /// The unit of work that makes the account and tells the other roles; conflicts at its first write when the e-mail
    /// address has an account.
    pub(super) fn unit(self, keys: &Keys, random: &dyn Random, now: Time) -> (UserId, Unit) {
        let id = UserId::at(now, random_bytes(random));
        let label = self.address.map(|address| Label {
            name: self.name.to_owned(),
            phone: self.phone.map(ToOwned::to_owned),
            address: address.to_owned(),
        });
        let address = label.map(|label| seal_label(&label, id, keys, random, now));
        let sealer = keys.sealer();
        let user = User {
            id,
            email_index: self.email.index(&keys.index),
            sealed_with: sealer.key(),
            email: sealer.seal(&[b"users.email", &id.0], self.email.as_str()),
            name: sealer.seal(&[b"users.name", &id.0], self.name),
            phone: self.phone.map(|phone| sealer.seal(&[b"users.phone", &id.0], phone)),
            address: address.as_ref().map(|address| address.id),
            password: self.password,
            roles: self.roles,
            created_at: now,
        };
        let registered = RoleEvent::UserRegistered { user: id, address: user.address };
        let mut unit = Unit::new().insert(&user).event(&registered, now);
        if let Some(address) = address {
            unit = unit.insert(&address);
        }
        (id, unit)
    }
}

/// A new row for where parcels for a person go; none when they gave no address.
pub(super) fn new_address(
    person: &Person,
    owner: UserId,
    keys: &Keys,
    random: &dyn Random,
    now: Time,
) -> Option<Address> {
    let Person { name, phone, address, .. } = person.clone();
    Some(seal_label(&Label { name, phone, address: address? }, owner, keys, random, now))
}

fn seal_label(label: &Label, owner: UserId, keys: &Keys, random: &dyn Random, now: Time) -> Address {
    let id = AddressId::at(now, random_bytes(random));
    let text = serde_json::to_string(label).expect("a label is texts");
    let sealer = keys.sealer();
    let label = sealer.seal(&[b"addresses.label", &id.0], &text);
    Address { id, owner, sealed_with: sealer.key(), label, created_at: now }
}

/// What the account knows about the person.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) email: String,
    pub(super) name: String,
    pub(super) phone: Option<String>,
    pub(super) address: Option<String>,
}

impl User {
    /// Decrypts the account.
    pub(super) async fn person(&self, records: &dyn Records, keys: &Keys) -> Result<Person, Problem> {
        let (email, name, phone) = self.opened(&keys.sealer())?;
        let address = match self.address {
            None => None,
            Some(id) => records.load::<Address>(id).await?.map(|stored| stored.record.text(keys)).transpose()?,
        };
        Ok(Person { email, name, phone, address })
    }

    /// The e-mail address.
    pub(super) fn email(&self, sealer: &Sealer) -> Result<String, Unreadable> {
        sealer.open(self.sealed_with, &[b"users.email", &self.id.0], &self.email)
    }

    /// E-mail address, name and phone.
    fn opened(&self, sealer: &Sealer) -> Result<(String, String, Option<String>), Unreadable> {
        let open = |column: &[u8], sealed: &[u8]| sealer.open(self.sealed_with, &[column, &self.id.0], sealed);
        let phone = self.phone.as_deref().map(|phone| open(b"users.phone", phone)).transpose()?;
        Ok((self.email(sealer)?, open(b"users.name", &self.name)?, phone))
    }
}

impl User {
    /// Puts other personal data into the columns; where parcels go is a row of its own.
    pub(super) fn seal(&mut self, person: &Person, keys: &Keys) {
        self.seal_with(&keys.sealer(), &person.email, &person.name, person.phone.as_deref());
    }

    fn seal_with(&mut self, sealer: &Sealer, email: &str, name: &str, phone: Option<&str>) {
        let seal = |column: &[u8], text: &str| sealer.seal(&[column, &self.id.0], text);
        let (email, name) = (seal(b"users.email", email), seal(b"users.name", name));
        let phone = phone.map(|phone| seal(b"users.phone", phone));
        *self = Self { sealed_with: sealer.key(), email, name, phone, ..self.clone() };
    }
}

impl Sealed for User {
    const KEY: &'static str = "sealed_with";

    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable> {
        let (email, name, phone) = self.opened(sealer)?;
        self.seal_with(sealer, &email, &name, phone.as_deref());
        Ok(())
    }

    fn fits(self, keys: &Keys) -> bool {
        let Ok((email, ..)) = self.opened(&keys.sealer()) else { return false };
        EmailAddress::try_from(email).is_ok_and(|email| email.index(&keys.index) == self.email_index)
    }
}

impl Sealed for Address {
    const KEY: &'static str = "sealed_with";

    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable> {
        let place: [&[u8]; 2] = [b"addresses.label", &self.id.0];
        self.label = sealer.reseal(self.sealed_with, &place, &self.label)?;
        self.sealed_with = sealer.key();
        Ok(())
    }
}

impl Address {
    fn text(&self, keys: &Keys) -> Result<String, Unreadable> {
        self.label(keys).map(|(_, _, address)| address)
    }

    /// Name, phone and address.
    pub(super) fn label(&self, keys: &Keys) -> Result<(String, Option<String>, String), Unreadable> {
        let text = keys.sealer().open(self.sealed_with, &[b"addresses.label", &self.id.0], &self.label)?;
        let Label { name, phone, address } = serde_json::from_str(&text).map_err(|_| Unreadable)?;
        Ok((name, phone, address))
    }
}

impl From<Unreadable> for Problem {
    fn from(error: Unreadable) -> Self {
        PortError::Corrupt(format!("accounts: {error}; was a key replaced?")).into()
    }
}

/// The account of an e-mail address.
pub(super) async fn find(records: &dyn Records, email_index: Vec<u8>) -> Result<Option<Stored<User>>, PortError> {
    let is = Comparison::Is(firstcome_core::records::Value::Blob(email_index));
    let found = records.list::<User>(Query::all(User::TABLE, 1).filter("email_index", is)).await?;
    Ok(found.into_iter().next())
}

/// Checks a text of 1 to `MAX` characters that people see.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde passes the context so")]
pub(super) fn text<const MAX: usize>(text: &str, _: &()) -> garde::Result {
    if text.chars().count() > MAX {
        return Err(garde::Error::new(format!("must have 1 to {MAX} characters")));
    }
    some_text(text, &())?;
    lines(text, &())
}

/// [`text`] for a field that may be left out.
#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "garde passes the field and the context so")]
pub(super) fn optional_text<const MAX: usize>(value: &Option<String>, context: &()) -> garde::Result {
    value.as_deref().map_or(Ok(()), |value| text::<MAX>(value, context))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_is_one_account() {
        let email = EmailAddress::try_from(" Kim.Lee+x@Example.COM ".to_owned()).unwrap();
        assert_eq!(email.as_str(), "kim.lee+x@example.com");
    }

    #[test]
    fn what_is_no_address() {
        let long = format!("{}@example.com", "x".repeat(65));
        for text in [
            "",
            "@",
            "kim",
            "kim@",
            "@example.com",
            "kim@example",
            "kim@.com",
            "kim@exa mple.com",
            "k im@a.kr",
            "kim@-a.kr",
            "kim@a..kr",
            "kim\n@a.kr",
            "kim@a.kr\nBcc: x@y.kr x",
            "김@a.kr",
            &long,
        ] {
            assert_eq!(EmailAddress::try_from(text.to_owned()).err(), Some(InvalidEmail), "{text:?}");
        }
    }
}
