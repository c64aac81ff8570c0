//! A real SMTP server, of another make than what talks to it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::shop::free_address;
use crate::until::{SOON, until};

/// Who the server lets in when it encrypts.
const USER: &str = "shop";
/// Their password.
const PASSWORD: &str = "let me send";

/// Within this an e-mail is there: what a process was sending that was killed in it is tried again after three minutes.
const DELIVERED: Duration = Duration::from_mins(5);

/// When the server encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Never; it asks for no log-in.
    None,
    /// After the greeting.
    Starttls,
    /// From the beginning.
    Tls,
}

/// An e-mail that the server took.
#[derive(Debug, Clone)]
pub struct Received(pub Value);

impl Received {
    /// A field: `to`, `from`, `subject`, `id`, `body`.
    pub fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    /// The six digits that stand on a line of their own.
    pub fn code(&self) -> &str {
        let mut lines = self.text("body").lines().map(str::trim);
        lines.find(|line| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit())).expect("a code")
    }
}

/// An SMTP server, with a certificate for `localhost`. Ends when it is dropped.
#[derive(Debug)]
pub struct MailServer {
    folder: TempDir,
    address: SocketAddr,
    encryption: Encryption,
    child: Option<Child>,
}

impl MailServer {
    /// A server that is not started yet.
    pub fn prepare(encryption: Encryption) -> Self {
        let folder = tempfile::Builder::new().prefix("firstcome-mail-").tempdir().expect("a temporary folder");
        let server = Self { folder, address: free_address(), encryption, child: None };
        let (certificate, key) = (server.certificate(), server.path("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-out")
            .arg(&certificate)
            .arg("-keyout")
            .arg(&key)
            .output()
            .expect("`openssl` can be run: apt-get install openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server
    }

    /// A server that takes e-mails.
    pub async fn start(encryption: Encryption) -> Self {
        let mut server = Self::prepare(encryption);
        server.go_on().await;
        server
    }

    /// Starts it, on the same address as before.
    pub async fn go_on(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("smtp/server.py");
        let word = format!("{:?}", self.encryption).to_lowercase();
        // Debian's own Python is the one that Debian's aiosmtpd is installed for.
        let child = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(self.address.port().to_string())
            .arg(self.path("taken"))
            .arg(word)
            .args([self.certificate(), self.path("key.pem")])
            .stdin(Stdio::null())
            .spawn()
            .expect("/usr/bin/python3 can be run: apt-get install python3-aiosmtpd");
        self.child = Some(child);
        let what = "the mail server starts (apt-get install python3-aiosmtpd)";
        until(what, SOON, async || TcpStream::connect(self.address).is_ok()).await;
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            child.wait().expect("a killed child can be waited for");
        }
    }

    /// Has it take the e-mails to addresses that begin with `held`.
    pub fn release(&self) {
        fs::write(self.path("taken.go"), "").expect("a file can be written");
    }

    /// Its port on `localhost`.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The certificate, which no authority vouches for.
    pub fn certificate(&self) -> PathBuf {
        self.path("certificate.pem")
    }

    /// User and password.
    pub fn log_in(&self) -> (&'static str, &'static str) {
        (USER, PASSWORD)
    }

    /// What makes a shop send through it.
    pub fn environment(&self) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
        let mut all = vec![
            ("FIRSTCOME_SMTP_SERVER", "localhost".to_owned()),
            ("FIRSTCOME_SMTP_PORT", self.port().to_string()),
            ("FIRSTCOME_SMTP_FROM", "Firstcome <no-reply@shop.test>".to_owned()),
            ("FIRSTCOME_SMTP_TLS", format!("{:?}", self.encryption).to_lowercase()),
        ];
        if self.encryption != Encryption::None {
            all.push(("FIRSTCOME_SMTP_USER", USER.to_owned()));
            all.push(("FIRSTCOME_SMTP_PASSWORD", PASSWORD.to_owned()));
            all.push(("FIRSTCOME_SMTP_AUTHORITY_FILE", self.certificate().display().to_string()));
        }
        all.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// Everything that it took.
    pub fn received(&self) -> Vec<Received> {
        let text = fs::read_to_string(self.path("taken")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).map(Received).collect()
    }

    /// The e-mails to an address, once there are so many.
    pub async fn wait_for(&self, to: &str, count: usize) -> Vec<Received> {
        until(format!("{count} e-mails to {to}"), DELIVERED, async || {
            let all = self.received();
            let mails: Vec<_> = all.iter().filter(|mail| mail.text("to") == to).cloned().collect();
            if mails.len() >= count { Ok(mails) } else { Err(all) }
        })
        .await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}
