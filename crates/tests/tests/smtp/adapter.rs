//! The adapter of the port, on a server that encrypts in each way, and on what is wrong with servers.

use std::time::Duration;

use firstcome_core::ids::MailId;
use firstcome_core::ports::{Delivery, Mail, Mailer as _, PortError};
use firstcome_store::smtp::{Smtp, SmtpOptions, SmtpTls};
use firstcome_tests::{Encryption, MailServer, SOON, until};

const KIM: &str = "kim@shop.test";
const BODY: &str = "한글 본문 with a line\n.\n.. that begins with dots\n\n042137\n";

fn mail(to: &str) -> Mail {
    Mail {
        id: MailId([7; 16]),
        to: to.to_owned(),
        subject: "인증 코드 · Your code".to_owned(),
        body: BODY.to_owned(),
        unsubscribe: None,
    }
}

fn options(server: &MailServer, tls: SmtpTls) -> SmtpOptions {
    let (user, password) = server.log_in();
    SmtpOptions {
        host: "localhost".to_owned(),
        port: server.port(),
        tls,
        authority: Some(std::fs::read(server.certificate()).expect("a certificate")),
        log_in: (tls != SmtpTls::None).then(|| (user.to_owned(), password.into())),
        from: "가게 <no-reply@shop.test>".to_owned(),
        timeout: Duration::from_secs(30),
        connections: 2,
    }
}

/// The error of a delivery, which names the server and never the receiver.
async fn trouble(options: SmtpOptions, to: &str) -> String {
    let error = Smtp::new(options).expect("options").send(&mail(to)).await.expect_err("an error");
    assert!(error.is_retryable(), "{error}");
    let text = error.to_string();
    assert!(text.contains("localhost") && !text.contains(to) && !text.contains("let me"), "{text}");
    text
}

#[tokio::test]
async fn smtp_each_way_of_encrypting() {
    for (encryption, tls) in
        [(Encryption::None, SmtpTls::None), (Encryption::Starttls, SmtpTls::Starttls), (Encryption::Tls, SmtpTls::Tls)]
    {
        let server = MailServer::start(encryption).await;
        let smtp = Smtp::new(options(&server, tls)).expect("options");
        smtp.check().await.expect("it lets us in");
        for _ in 0..2 {
            assert_eq!(smtp.send(&mail(KIM)).await.expect("taken"), Delivery::Accepted);
        }
        let got = server.received().remove(1);
        assert_eq!((got.text("to"), got.text("subject")), (KIM, "인증 코드 · Your code"));
        assert_eq!((got.text("body").replace("\r\n", "\n").trim_end(), got.code()), (BODY.trim_end(), "042137"));
        assert!(got.text("id").starts_with("<mal_") && got.text("id").ends_with("@shop.test>"), "{got:?}");
        assert!(got.text("from").contains("가게"), "{got:?}");
        let secret = encryption != Encryption::None;
        assert_eq!((&got.0["encrypted"], &got.0["logged_in"]), (&secret.into(), &secret.into()), "{encryption:?}");
    }
}

#[tokio::test]
async fn smtp_refusals_concern_one_mail() {
    let server = MailServer::start(Encryption::None).await;
    let smtp = Smtp::new(options(&server, SmtpTls::None)).expect("options");
    assert_eq!(smtp.send(&mail("refused@shop.test")).await.expect("an outcome"), Delivery::Refused(550));
    assert_eq!(smtp.send(&mail("no address")).await.expect("an outcome"), Delivery::Refused(553));
    assert!(trouble(options(&server, SmtpTls::None), "later@shop.test").await.contains("450"));
    assert_eq!(smtp.send(&mail(KIM)).await.expect("taken"), Delivery::Accepted);
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn smtp_trouble_on_the_way_is_no_refusal() {
    let server = MailServer::start(Encryption::Starttls).await;
    let good = || options(&server, SmtpTls::Starttls);
    let wrong_password = SmtpOptions { log_in: Some(("shop".to_owned(), "wrong".into())), ..good() };
    assert!(trouble(wrong_password, KIM).await.contains("refuses the log-in (535)"));
    assert!(trouble(SmtpOptions { log_in: None, ..good() }, KIM).await.contains("530"));
    assert!(trouble(SmtpOptions { authority: None, ..good() }, KIM).await.contains("certificate"));
    // A server that relays for others only: nothing is wrong with the address.
    assert!(trouble(good(), "foreign@shop.test").await.contains("does not let this sender through (554)"));
    // A server that offers no encryption gets nothing, or whoever stands in between could take it away.
    let open = MailServer::start(Encryption::None).await;
    trouble(options(&open, SmtpTls::Starttls), KIM).await;
    assert!(open.received().is_empty() && server.received().is_empty());
}

#[tokio::test]
async fn smtp_servers_that_are_gone_come_back_or_are_slow() {
    let mut server = MailServer::prepare(Encryption::Tls);
    assert!(trouble(options(&server, SmtpTls::Tls), KIM).await.contains("cannot be reached"));
    server.go_on().await;
    let smtp = Smtp::new(options(&server, SmtpTls::Tls)).expect("options");
    assert_eq!(smtp.send(&mail(KIM)).await.expect("taken"), Delivery::Accepted);
    // The connection that was kept leads nowhere now, and is not taken for the server.
    server.stop();
    assert!(smtp.send(&mail(KIM)).await.is_err());
    server.go_on().await;
    until("it is taken again", SOON, async || matches!(smtp.send(&mail(KIM)).await, Ok(Delivery::Accepted))).await;
    let hurried = SmtpOptions { timeout: Duration::from_secs(1), ..options(&server, SmtpTls::Tls) };
    assert!(trouble(hurried, "held@shop.test").await.contains("in time"));
}

#[test]
fn smtp_options_that_cannot_work() {
    let options = |from: &str, authority: Option<Vec<u8>>| SmtpOptions {
        host: "localhost".to_owned(),
        port: 25,
        tls: SmtpTls::Tls,
        authority,
        log_in: None,
        from: from.to_owned(),
        timeout: Duration::from_secs(1),
        connections: 1,
    };
    for options in [options("nobody", None), options("no-reply@shop.test", Some(b"no certificate".to_vec()))] {
        assert!(matches!(Smtp::new(options), Err(PortError::Misused(_))));
    }
}
