//! Password hashing with argon2id, which is slow and large on purpose, where it does not slow down anyone else: on a
//! few threads of low priority, behind a short queue.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{PortError, Random, random_bytes};
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::oneshot;

use crate::http::Problem;

/// How much nicer the threads are than those that serve: they get the processor when nobody else wants it, and about a
/// tenth of it when everybody does.
const NICENESS: i32 = 10;

/// How passwords are hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordOptions {
    /// Threads that hash.
    pub threads: usize,
    /// Requests that may wait for them; more are refused.
    pub waiting: usize,
    /// Memory that one hash fills, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl Default for PasswordOptions {
    /// One thread for every two cores, and what OWASP recommends for argon2id.
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            threads: (cores / 2).max(1),
            waiting: 128,
            memory_kib: Params::DEFAULT_M_COST,
            passes: Params::DEFAULT_T_COST,
        }
    }
}

/// Hashes and verifies, right here.
#[derive(Clone)]
pub(super) struct Hasher {
    argon2: Argon2<'static>,
    random: Arc<dyn Random>,
    /// What is verified when there is no account, so that it takes as long as if there were one.
    nobody: Arc<OnceLock<String>>,
}

impl Hasher {
    pub(super) fn new(options: &PasswordOptions, random: Arc<dyn Random>) -> Self {
        let params = Params::new(options.memory_kib, options.passes, 1, None).unwrap_or_default();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Self { argon2, random, nobody: Arc::default() }
    }

    /// The PHC string of a password.
    pub(super) fn hash(&self, password: &SecretString) -> Result<String, PortError> {
        let salt = random_bytes::<16>(self.random.as_ref());
        let hashed = self.argon2.hash_password_with_salt(password.expose_secret().as_bytes(), &salt);
        hashed.map(|hash| hash.to_string()).map_err(|error| PortError::Misused(format!("argon2: {error}")))
    }

    /// Whether the password is the one of the hash; never without a hash, in the same time.
    pub(super) fn verify(&self, password: &SecretString, hash: Option<&str>) -> bool {
        let nobody = || self.nobody.get_or_init(|| self.hash(&"nobody".into()).unwrap_or_default()).as_str();
        let right =
            self.argon2.verify_password(password.expose_secret().as_bytes(), hash.unwrap_or_else(nobody)).is_ok();
        right && hash.is_some()
    }
}

type Job = Box<dyn FnOnce(&Hasher) + Send>;

/// The threads that hash.
pub(super) struct Passwords {
    jobs: SyncSender<Job>,
}

impl Passwords {
    /// Starts the threads; they end when this is dropped.
    pub(super) fn start(options: &PasswordOptions, random: Arc<dyn Random>) -> Self {
        let (jobs, waiting) = sync_channel(options.waiting);
        let waiting = Arc::new(Mutex::new(waiting));
        let hasher = Hasher::new(options, random);
        for number in 0..options.threads.max(1) {
            let (waiting, hasher) = (Arc::clone(&waiting), hasher.clone());
            thread::Builder::new()
                .name(format!("passwords-{number}"))
                .spawn(move || work(&waiting, &hasher))
                .expect("the operating system starts a thread when the program starts");
        }
        Self { jobs }
    }

    /// The PHC string of a password.
    pub(super) async fn hash(&self, password: SecretString) -> Result<String, Problem> {
        Ok(self.run(move |hasher| hasher.hash(&password)).await??)
    }

    /// See [`Hasher::verify`].
    pub(super) async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, Problem> {
        self.run(move |hasher| hasher.verify(&password, hash.as_deref())).await
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce(&Hasher) -> T + Send + 'static) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // Work that nobody waits for any more is dropped.
            if !reply.is_closed() {
                let _ = reply.send(job(hasher));
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Problem::new(ErrorCode::Overloaded).detail("Too many log-ins at the moment"),
            TrySendError::Disconnected(_) => Problem::new(ErrorCode::Unavailable),
        })?;
        answer.await.map_err(|_| Problem::new(ErrorCode::Unavailable))
    }
}

fn work(waiting: &Mutex<Receiver<Job>>, hasher: &Hasher) {
    // Without the right to be nicer the threads still work, only less politely.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
    loop {
        let job = waiting.lock().recv();
        match job {
            Ok(job) => job(hasher),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::testkit::TestRandom;

    use super::*;

    fn options(waiting: usize) -> PasswordOptions {
        PasswordOptions { threads: 1, waiting, memory_kib: 8, passes: 1 }
    }

    fn passwords(waiting: usize) -> Passwords {
        Passwords::start(&options(waiting), Arc::new(TestRandom::seeded(1)))
    }

    #[tokio::test]
    async fn right_and_wrong() {
        let passwords = passwords(8);
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("wrong horse".into(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("nobody".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let passwords = passwords(1);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, working) = oneshot::channel();
        let busy = passwords.run(move |_| {
            let _ = started.send(());
            let _ = held.recv();
        });
        let mut busy = Box::pin(busy);
        tokio::select! { _ = &mut busy => panic!("still held"), started = working => started.unwrap() }
        let mut waits = Box::pin(passwords.run(|_| ()));
        assert!(futures_util::poll!(&mut waits).is_pending());
        let refused = passwords.run(|_| ()).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Overloaded);
        release.send(()).unwrap();
        busy.await.unwrap();
        waits.await.unwrap();
    }

    #[test]
    fn defaults_are_what_is_recommended() {
        let options = PasswordOptions::default();
        assert!(options.memory_kib >= 19 * 1024 && options.passes >= 2 && options.threads >= 1);
    }
}
