//! Seals personal data anew when there is a new key.

use std::sync::Arc;

use firstcome_core::ports::PortError;

use super::Accounts;
use super::records::{Address, Session, User};
use super::second_factor::SecondFactor;
use crate::mails::QueuedMail;
use crate::role::Worker;
use crate::secrets::{KeyCheck, Resealed, reseal, resealer};

impl Accounts {
    /// Seals everything anew that an older key sealed.
    async fn reseal(&self) -> Result<Resealed, PortError> {
        let (records, keys) = (self.ports.records.as_ref(), &self.ports.keys);
        Ok(reseal::<User>(records, keys).await?
            + reseal::<Address>(records, keys).await?
            + reseal::<Session>(records, keys).await?
            + reseal::<SecondFactor>(records, keys).await?
            + reseal::<QueuedMail>(records, keys).await?
            + reseal::<KeyCheck>(records, keys).await?)
    }
}

/// Looks every few seconds; where nothing is to be done that is six reads of an index.
pub(super) fn worker(accounts: Arc<Accounts>) -> Worker {
    resealer("accounts-keys", move || {
        let accounts = Arc::clone(&accounts);
        async move { accounts.reseal().await }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firstcome_core::ports::Clock as _;
    use firstcome_core::time::Time;
    use futures_util::TryStreamExt as _;
    use serde_json::json;

    use super::super::{SEALED, admin, look_at_keys, require_keys};
    use crate::accounts::testing::TestApp;
    use crate::secrets::{Keys, Resealed, SystemRandom, oldest_key};

    #[tokio::test]
    async fn a_database_from_before_the_check_is_known_by_its_accounts() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let others = app.with_other_keys().await;
        for _ in 0..2 {
            assert!(look_at_keys(app.records.as_ref(), &others.keys).await.is_err());
            assert!(require_keys(app.records.as_ref(), &others.keys).await.is_err());
            require_keys(app.records.as_ref(), &app.keys).await.unwrap();
        }
        look_at_keys(app.records.as_ref(), &app.keys).await.unwrap();
    }

    #[tokio::test]
    async fn everything_is_sealed_with_the_new_key_and_read_and_found_as_before() {
        let folder = std::env::temp_dir().join(format!("firstcome-reseal-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let keys = Arc::new(Keys::create_in(&folder, &SystemRandom, Time(0)).unwrap());
        let app = TestApp::with_keys(keys.clone()).await;
        for number in 0..10 {
            app.sign_up(&format!("kim{number}@example.com")).await;
        }
        let (records, clock, random) = (app.records.clone(), Arc::new(app.clock.clone()), Arc::new(SystemRandom));
        let ports = admin::Ports { records, clock, random, keys: keys.clone() };
        let more: Vec<_> = admin::dev_tokens(&ports, crate::http::AccountRole::Buyer, 140).try_collect().await.unwrap();
        assert_eq!(more.concat().len(), 140);
        let device = app.log_in_at("kim7@example.com", "my phone").await;
        let me = app.get("/api/v1/me", Some(&device.access)).await.body;
        let oldest = async || oldest_key(app.records.as_ref(), SEALED).await.unwrap();
        assert_eq!((app.accounts().reseal().await.unwrap().rows, oldest().await), (0, Some(1)));
        let now = app.clock.now();
        Keys::rotate(&folder, &SystemRandom, now, now).unwrap();
        assert_eq!(keys.reload(now).unwrap(), Some(2));
        // Without the old one nobody should go on yet, and with both everyone can.
        let with = async || {
            let keys = Keys::load_shared(&folder, &SystemRandom, now).unwrap();
            require_keys(app.records.as_ref(), &keys).await
        };
        let old = folder.join("data-1.key");
        std::fs::rename(&old, folder.join("away")).unwrap();
        assert!(with().await.is_err());
        std::fs::rename(folder.join("away"), &old).unwrap();
        assert!(with().await.is_ok());
        assert_eq!(app.accounts().reseal().await.unwrap().rows, 150 + 150 + 1);
        assert_eq!((app.accounts().reseal().await.unwrap(), oldest().await), (Resealed::default(), Some(2)));
        // The old key is not needed any more.
        std::fs::remove_file(old).unwrap();
        assert!(with().await.is_ok());
        keys.reload(now).unwrap();
        assert_eq!(app.get("/api/v1/me", Some(&device.access)).await.body, me);
        let devices = app.get("/api/v1/me/sessions", Some(&device.access)).await;
        assert_eq!(devices.body["items"][0]["device"], json!("my phone"));
        app.log_in("kim9@example.com").await;
        std::fs::remove_dir_all(folder).unwrap();
    }
}
