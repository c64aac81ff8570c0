//! What concerns people: advertising, consents, the second factor, who they are.

use firstcome_tests::{Api, PASSWORD, SOON, Storefront as _, ticket, totp_later, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{READERS, Twins, one_of, text};
use crate::advertising::done;
use crate::identity::{begin, confirm, pass};
use crate::second_factor::{KIM, log_in, protect};

/// Readers from here on take their consent back.
const LEAVING: usize = 4;
/// Who changes their mind about advertising all the time.
const FICKLE: usize = 2;
/// Few enough that nobody is slowed down for guessing.
const AT_ONCE: usize = 3;

pub(super) struct People {
    /// The code that was used, and codes that were not.
    used: String,
    recovery: Vec<String>,
    consents: Value,
    /// An offer for those of whom it is verified who they are; one who is, and the same person once more.
    offer: String,
    verified: usize,
    again: usize,
}

async fn agree(reader: &Api, given: bool) -> Value {
    reader.put("/me/consents").json(&json!({"advertising": given})).want(200).await
}

/// Asks for it four times at once. It is one mailing, which is done when this returns.
async fn advertise(twins: &Twins, subject: &str, people: usize) {
    let body = json!({"subject": subject, "text": "12월 1일 오후 2시에 열립니다."});
    let key = subject.replace(' ', "-");
    let ask = || twins.seller.post("/admin/mailings").key(&key).json(&body).want(202);
    let made = join_all((0..4).map(|_| ask())).await;
    let mailing = text(&made[0]["mailing_id"]);
    assert!(made.iter().all(|other| other["mailing_id"] == mailing.as_str()), "{made:?}");
    assert_eq!(done(&twins.seller, &mailing).await["queued"], people);
}

/// Who takes their consent back while an e-mail waits does not get it.
pub(super) async fn advertising_waits_for_the_mail_server(twins: &mut Twins) {
    join_all(twins.readers.iter().map(|reader| agree(reader, true))).await;
    advertise(twins, "Winter tickets", READERS).await;
    join_all(twins.readers[LEAVING..].iter().map(|reader| agree(reader, false))).await;
    twins.mail.go_on().await;
    for reader in 0..LEAVING {
        twins.comes_once(reader, &["(광고) Winter tickets"]).await;
    }
    (LEAVING..READERS).for_each(|reader| twins.never_comes(reader, "Winter tickets"));
}

impl People {
    pub(super) async fn meet(twins: &Twins) -> Self {
        let consents = a_mind_is_changed(twins).await;
        let (used, recovery) = a_code_is_used_once(twins).await;
        let (offer, verified, again) = a_person_is_one_account(twins).await;
        Self { used, recovery, consents, offer, verified, again }
    }

    /// What is known to both is known to the one that is left, and what it decides holds.
    pub(super) async fn go_on(&self, twins: &Twins, turn: usize) {
        assert_eq!(twins.readers[FICKLE].get("/me/consents").want(200).await, self.consents);
        let subject = format!("Tickets by one, {turn}");
        advertise(twins, &subject, LEAVING).await;
        for reader in 0..LEAVING {
            twins.comes_once(reader, &[&subject]).await;
        }

        let api = twins.cluster.api();
        log_in(&api, &self.used).await.problem(401, "second_factor_wrong");
        let body = json!({"email": KIM, "password": PASSWORD});
        api.post("/auth/login").json(&body).send().await.expect("an answer").problem(401, "second_factor_required");
        let code = &self.recovery[1 + turn];
        log_in(&api, code).await.want(200);
        log_in(&api, code).await.problem(401, "second_factor_wrong");

        let (verified, again) = (&twins.readers[self.verified], &twins.readers[self.again]);
        assert_eq!(verified.get("/me/identity").want(200).await["verified"], true);
        confirm(again).await.problem(409, "identity_in_use");
        let key = format!("by-one-{turn}");
        verified.order(&key, &self.offer, 1).await.expect("an answer").want(201);
        again.order(&key, &self.offer, 1).await.expect("an answer").problem(403, "not_eligible");
    }
}

/// The history tells of each change, in the order in which they were, whoever wrote it down.
async fn a_mind_is_changed(twins: &Twins) -> Value {
    let fickle = &twins.readers[FICKLE];
    join_all((0..8).map(|turn| agree(fickle, turn % 2 == 0))).await;
    let consents = agree(fickle, true).await;
    let history = consents["history"].as_array().expect("a list");
    let given: Vec<bool> = history.iter().map(|entry| entry["given"].as_bool().expect("yes or no")).collect();
    assert!(given[0] && given.windows(2).all(|pair| pair[0] != pair[1]), "{consents}");
    consents
}

/// Of log-ins at once with one code, one is let in.
async fn a_code_is_used_once(twins: &Twins) -> (String, Vec<String>) {
    let (secret, recovery) = protect(&twins.night).await;
    let recovery: Vec<String> = recovery.as_array().expect("codes").iter().map(text).collect();
    let (api, used) = (twins.cluster.api(), totp_later(&secret, 1));
    for code in [&used, &recovery[0]] {
        let answers = join_all((0..AT_ONCE).map(|_| log_in(&api, code))).await;
        one_of(answers, 200, 401, "second_factor_wrong");
    }
    (used, recovery)
}

/// Two accounts of one person are verified at once: one of them is, and may buy.
async fn a_person_is_one_account(twins: &Twins) -> (String, usize, usize) {
    let terms = json!({"price": 0, "stock": 10, "conditions": [{"identity_verified": true}]});
    let offer = twins.seller.sell(&ticket("A show"), &terms).await;
    for person in &twins.readers[..2] {
        let (check, _) = begin(twins.cluster.address(), person).await;
        pass(&twins.cluster.api(), &check, "Kim Hana").await;
    }
    let answers = join_all(twins.readers[..2].iter().map(confirm)).await;
    let verified = usize::from(answers[0].status != 200);
    let again = 1 - verified;
    one_of(answers, 200, 409, "identity_in_use");
    until("it is known who it is", SOON, async || {
        let answer = twins.readers[verified].order("mine", &offer, 1).await.expect("an answer");
        if answer.status == 201 { Ok(()) } else { Err(answer) }
    })
    .await;
    twins.readers[again].order("mine", &offer, 1).await.expect("an answer").problem(403, "not_eligible");
    (offer, verified, again)
}
