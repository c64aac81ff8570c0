//! A proxy between a role and a server, which delays, slows and cuts what passes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How a link behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Link {
    /// Every piece of data comes so much later, in both directions.
    pub delay: Duration,
    /// At most so many bytes pass a second, in each direction; 0 for as many as come.
    pub bytes_per_second: u32,
    /// Connections are closed, and new ones too.
    pub cut: bool,
    /// Nothing passes, and nobody is told: what a broken switch does.
    pub silent: bool,
}

/// A proxy. It ends when it is dropped, with every connection through it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    link: watch::Sender<Link>,
    _running: JoinSet<()>,
}

/// Data that is moved at once.
const PIECE: usize = 16 * 1024;

impl Proxy {
    /// A proxy to `target` on a port of its own.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (link, seen) = watch::channel(Link::default());
        let mut running = JoinSet::new();
        running.spawn(accept(listener, target, seen));
        Self { address, link, _running: running }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the link behaves so.
    pub fn set(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// From now on everything passes at once.
    pub fn mend(&self) {
        self.set(Link::default());
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, link: watch::Receiver<Link>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that is gone again before it was accepted is none.
                if let Ok((client, _)) = accepted {
                    connections.spawn(serve(client, target, link.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(client: TcpStream, target: SocketAddr, link: watch::Receiver<Link>) {
    if link.borrow().cut {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    // Small messages go at once, as between the two without a proxy.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = link.clone();
    tokio::select! {
        _ = pass(from_client, to_server, link.clone()) => {}
        _ = pass(from_server, to_client, link) => {}
        _ = cut.wait_for(|link| link.cut) => {}
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut link: watch::Receiver<Link>,
) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        if link.wait_for(|link| !link.silent).await.is_err() {
            return Ok(());
        }
        let Link { delay, bytes_per_second, .. } = *link.borrow();
        let slowness = match bytes_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_secs_f64(length as f64 / f64::from(rate)),
        };
        tokio::time::sleep(delay + slowness).await;
        to.write_all(&piece[..length]).await?;
    }
}
