//! Password hashing with argon2id, which is slow and large on purpose, where it does not slow down anyone else: on a
//! few threads that get the processor when nobody else wants it, behind a short queue.
//!
//! Somebody always wants it while a sale is on and every core is busy. So that nobody is locked out by a crowd that buys,
//! one more thread of low priority takes what has [waited for long](LATE), and [rests](REST) most of the time.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{PortError, Random, random_bytes};
use parking_lot::{Condvar, Mutex};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::http::Problem;

/// How much nicer the thread for what is late is than those that serve: it gets about a tenth of a core when everybody wants
/// one.
const NICENESS: i32 = 10;
/// How long a request has waited that is late.
const LATE: Duration = Duration::from_secs(1);
/// How much longer than it has worked the thread for what is late rests.
const REST: u32 = 4;

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

/// Requests that wait, the oldest first.
struct Waiting {
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    jobs: VecDeque<(Instant, Job)>,
    /// How many may wait.
    room: usize,
    is_closed: bool,
}

impl Waiting {
    fn push(&self, job: Job) -> Result<(), Problem> {
        let mut queue = self.queue.lock();
        if queue.jobs.len() >= queue.room {
            return Err(Problem::new(ErrorCode::Overloaded).detail("Too many log-ins at the moment"));
        }
        queue.jobs.push_back((Instant::now(), job));
        drop(queue);
        self.changed.notify_all();
        Ok(())
    }

    /// The oldest, as soon as it has waited for so long; none at the end.
    fn next(&self, waited: Duration) -> Option<Job> {
        let mut queue = self.queue.lock();
        while !queue.is_closed {
            match queue.jobs.front().map(|(since, _)| waited.saturating_sub(since.elapsed())) {
                Some(Duration::ZERO) => return queue.jobs.pop_front().map(|(_, job)| job),
                Some(longer) => {
                    self.changed.wait_for(&mut queue, longer);
                }
                None => self.changed.wait(&mut queue),
            }
        }
        None
    }

    fn close(&self) {
        let mut queue = self.queue.lock();
        queue.is_closed = true;
        queue.jobs.clear();
        self.changed.notify_all();
    }
}

/// The threads that hash.
pub(super) struct Passwords {
    waiting: Arc<Waiting>,
}

impl Passwords {
    /// Starts the threads; they end when this is dropped.
    pub(super) fn start(options: &PasswordOptions, random: Arc<dyn Random>) -> Self {
        let queue = Queue { jobs: VecDeque::new(), room: options.waiting, is_closed: false };
        let waiting = Arc::new(Waiting { queue: Mutex::new(queue), changed: Condvar::new() });
        let hasher = Hasher::new(options, random);
        let start = |name: String, work: fn(&Waiting, &Hasher)| {
            let (waiting, hasher) = (Arc::clone(&waiting), hasher.clone());
            let started = thread::Builder::new().name(name).spawn(move || work(&waiting, &hasher));
            started.expect("the operating system starts a thread when the program starts");
        };
        for number in 0..options.threads.max(1) {
            start(format!("passwords-{number}"), work);
        }
        start("passwords-late".to_owned(), work_on_what_is_late);
        Self { waiting }
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
        self.waiting.push(job)?;
        answer.await.map_err(|_| Problem::new(ErrorCode::Unavailable))
    }
}

impl Drop for Passwords {
    fn drop(&mut self) {
        self.waiting.close();
    }
}

fn work(waiting: &Waiting, hasher: &Hasher) {
    if run_when_nobody_else_does().is_err() {
        be_nice();
    }
    while let Some(job) = waiting.next(Duration::ZERO) {
        job(hasher);
    }
}

fn work_on_what_is_late(waiting: &Waiting, hasher: &Hasher) {
    be_nice();
    while let Some(job) = waiting.next(LATE) {
        let begun = Instant::now();
        job(hasher);
        thread::sleep(begun.elapsed() * REST);
    }
}

fn be_nice() {
    // Without the right to be nicer the thread still works, only less politely.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

/// Lets this thread run only when no thread of another policy wants its core; one that wakes takes it away at once. A nice
/// thread keeps it for milliseconds, in which a whole batch of a sale could have been written.
#[expect(unsafe_code, reason = "rustix has no call for it")]
fn run_when_nobody_else_does() -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is this thread, and the parameter lives until the call returns.
    let done = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameter) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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

    #[tokio::test]
    async fn who_waits_for_long_is_served_though_a_thread_gets_no_processor() {
        let passwords = passwords(8);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let stuck = passwords.run(move |_| held.recv().is_ok());
        let (stuck, late) = tokio::join!(stuck, async {
            let late = passwords.run(|_| ()).await;
            release.send(()).unwrap();
            late
        });
        assert!(stuck.unwrap());
        late.unwrap();
    }

    #[tokio::test]
    async fn who_waits_at_the_end_is_told() {
        let passwords = Arc::new(passwords(8));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let waiting = Arc::clone(&passwords.waiting);
        let mut both =
            Box::pin(async { tokio::join!(passwords.run(move |_| held.recv().is_ok()), passwords.run(|_| ())) });
        assert!(futures_util::poll!(&mut both).is_pending());
        waiting.close();
        let _ = release.send(());
        assert!(both.await.1.is_err());
    }

    #[test]
    fn defaults_are_what_is_recommended() {
        let options = PasswordOptions::default();
        assert!(options.memory_kib >= 19 * 1024 && options.passes >= 2 && options.threads >= 1);
    }
}
