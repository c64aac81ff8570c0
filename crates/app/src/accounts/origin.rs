//! Which device a session is, and from where it logged in: sealed, since both tell of the person.

use std::net::IpAddr;

use firstcome_core::ids::SessionId;
use serde::{Deserialize, Serialize};

use super::records::Session;
use crate::secrets::{Sealed, Sealer, Unreadable};

/// What is sealed.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Origin {
    /// What the person calls the device, or its browser and system; may be empty.
    pub(super) device: String,
    /// Where it logged in.
    pub(super) address: Option<IpAddr>,
}

impl Origin {
    /// Sealed for the row of a session.
    pub(super) fn seal(&self, session: SessionId, sealer: &Sealer) -> Vec<u8> {
        let text = serde_json::to_string(self).expect("a text and an address can be written");
        sealer.seal(&place(&session), &text)
    }
}

impl Session {
    /// What is known of the device. One that cannot be read is shown without a name: it can still be logged out.
    pub(super) fn origin(&self, sealer: &Sealer) -> Origin {
        let opened = self.origin.as_deref().zip(self.sealed_with).and_then(|(sealed, key)| {
            let text = sealer.open(key, &place(&self.id), sealed).ok()?;
            serde_json::from_str(&text).ok()
        });
        opened.unwrap_or_else(|| Origin { device: self.device.clone(), address: None })
    }
}

impl Sealed for Session {
    const KEY: &'static str = "sealed_with";

    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable> {
        let (sealed, key) = self.origin.as_deref().zip(self.sealed_with).ok_or(Unreadable)?;
        self.origin = Some(sealer.reseal(key, &place(&self.id), sealed)?);
        self.sealed_with = Some(sealer.key());
        Ok(())
    }
}

fn place(session: &SessionId) -> [&[u8]; 2] {
    [b"sessions.origin", &session.0]
}
