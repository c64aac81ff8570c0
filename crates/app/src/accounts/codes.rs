//! E-mailed codes: digits that prove that someone reads an e-mail address, each for one purpose.

use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{Committed, random_bytes};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::records::EmailCode;
use super::tokens::same;
use super::{Accounts, EmailAddress, Options};
use crate::http::{ClientAddress, Outcome, Problem};
use crate::mails::NewMail;

/// Digits of a code that verifies an e-mail address: nobody can count through them in the tries that there are.
pub(super) const VERIFICATION_DIGITS: u32 = 6;
/// Digits of a code that gives away an account: nor can many who try at many accounts for days.
pub(super) const RESET_DIGITS: u32 = 8;

impl Accounts {
    /// Makes the code that holds from now on under this index, and queues the e-mail that brings it. With no e-mail,
    /// because nobody is there to get it, all else is done all the same, so that the answer cannot tell.
    pub(super) async fn send_code<'a>(
        &self,
        index: &[u8],
        digits: u32,
        mail: impl Fn(&str) -> Option<NewMail<'a>>,
    ) -> Outcome<()> {
        let number = u64::from_be_bytes(random_bytes(self.ports.random.as_ref())) % 10_u64.pow(digits);
        let code = format!("{number:0width$}", width = digits as usize);
        let hash = self.code_hash(index, &code);
        loop {
            let stored = self.ports.records.load::<EmailCode>(index.to_vec()).await?;
            let now = self.ports.clock.now();
            let mut unit = match stored {
                None => Unit::new().insert(&renewed(None, index, hash.clone(), &self.options, now)?),
                Some(Stored { record, version }) => {
                    let record = renewed(Some(record), index, hash.clone(), &self.options, now)?;
                    Unit::new().update(&Stored { record, version })
                }
            };
            if let Some(mail) = mail(&code) {
                unit.append(self.mails.queue(mail));
            }
            if self.ports.records.commit(unit).await? == Committed::Done {
                self.mails.wake();
                return Ok(());
            }
        }
    }

    /// [`Accounts::entered`] for whoever comes with a code, slowed down where codes of many addresses are guessed at. Who
    /// knows the code is the owner of the e-mail address: passwords that they mistyped before are forgiven.
    pub(super) async fn enter(
        &self,
        email: &EmailAddress,
        index: &[u8],
        code: &str,
        address: ClientAddress,
    ) -> Outcome<Stored<EmailCode>> {
        let account = email.index(&self.ports.keys.index);
        let attempt = self.attempts.begin_code(&account, address, self.ports.clock.now())?;
        let entered = self.entered(index, code).await;
        match &entered {
            Ok(_) => self.attempts.succeeded(attempt, self.ports.clock.now()),
            Err(problem) if problem.code() == ErrorCode::InvalidCode => {}
            Err(_) => self.attempts.unchecked(attempt),
        }
        entered
    }

    /// The row of a code that was entered right, for the caller to use up in the commit of what it is for. A wrong one
    /// counts before anyone learns that it was wrong; of twins that guess at once, each counts.
    pub(super) async fn entered(&self, index: &[u8], code: &str) -> Outcome<Stored<EmailCode>> {
        let entered = self.code_hash(index, code.trim());
        loop {
            let stored = self.ports.records.load::<EmailCode>(index.to_vec()).await?;
            let mut stored = stored.ok_or_else(|| Problem::new(ErrorCode::InvalidCode))?;
            let row = &mut stored.record;
            let held = row.code.clone().filter(|_| self.ports.clock.now() < row.code_until);
            let held = held.ok_or_else(|| Problem::new(ErrorCode::InvalidCode))?;
            if same(&held, &entered) {
                return Ok(stored);
            }
            row.tries = row.tries.saturating_sub(1);
            row.code = row.code.take().filter(|_| row.tries > 0);
            if self.ports.records.commit(Unit::new().update(&stored)).await? == Committed::Done {
                return Err(Problem::new(ErrorCode::InvalidCode).with("tries_left", stored.record.tries));
            }
        }
    }

    /// What is stored of a code: keyed, because a million codes are soon counted through.
    fn code_hash(&self, index: &[u8], code: &str) -> Vec<u8> {
        self.ports.keys.index.of(&[b"code", index, code.as_bytes()])
    }
}

/// The row with a new code, if the address may have another.
fn renewed(
    known: Option<EmailCode>,
    index: &[u8],
    code: Vec<u8>,
    options: &Options,
    now: Time,
) -> Result<EmailCode, Problem> {
    let within_window = known.as_ref().filter(|known| now < known.counted_since + options.code_window);
    let counted_since = within_window.map_or(now, |known| known.counted_since);
    let sent = within_window.map_or(0, |known| known.sent);
    if sent >= options.codes_per_email {
        let wait = (counted_since + options.code_window).since(now).as_secs() + 1;
        let detail = "Too many codes were sent to this address; use the last one or wait";
        return Err(Problem::new(ErrorCode::RateLimited).detail(detail).retry_after(wait));
    }
    let code_until = now + options.code_lifetime;
    let (verification, verification_until) =
        known.map_or((None, now), |known| (known.verification, known.verification_until));
    Ok(EmailCode {
        email_index: index.to_vec(),
        code: Some(code),
        code_until,
        tries: options.code_tries,
        verification,
        verification_until,
        counted_since,
        sent: sent + 1,
        expires_at: code_until.max(verification_until).max(counted_since + options.code_window),
    })
}
