//! One kept-alive connection that carries one request at a time.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::parse::{self, Framing, Malformed};

/// What the buffer holds at first; most responses fit.
const BUFFER: usize = 8 * 1024;
/// The longest response that is read.
const LONGEST: usize = 64 * 1024 * 1024;
/// A connection that was idle for longer is opened anew: a server closes idle ones, and a request that meets the closing is lost.
const IDLE: Duration = Duration::from_secs(10);

/// Why there is no response. What became of the request is unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The connection could not be opened, or broke.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// What came back is not a response.
    #[error("the answer cannot be read: {0}")]
    Malformed(&'static str),
    /// Nothing came back in time.
    #[error("there was no answer in time")]
    Late,
}

impl From<Malformed> for ClientError {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Malformed(what)
    }
}

/// A response, borrowed from its connection's buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Response<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: &'a [u8],
}

/// A connection that is opened when it is first needed, and again after it broke.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    /// When it was last used.
    used: Instant,
    /// The bytes of the request that [`Self::send`] sends.
    request: Vec<u8>,
    buffer: Vec<u8>,
    filled: usize,
    /// A chunked body without its chunks' heads.
    joined: Vec<u8>,
}

impl Connection {
    /// A connection to `address`, not open yet.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let (used, buffer) = (Instant::now(), vec![0; BUFFER]);
        Self { address, stream: None, used, request: Vec::new(), buffer, filled: 0, joined: Vec::new() }
    }

    /// The address at the other end.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// An empty buffer to write the next request into.
    pub(crate) fn request(&mut self) -> &mut Vec<u8> {
        self.request.clear();
        &mut self.request
    }

    /// Sends what [`Self::request`] was filled with and waits for the response.
    pub(crate) async fn send(&mut self) -> Result<Response<'_>, ClientError> {
        let mut stream = match self.stream.take().filter(|_| self.used.elapsed() < IDLE) {
            Some(stream) => stream,
            None => open(self.address).await?,
        };
        stream.write_all(&self.request).await?;
        self.filled = 0;
        let head = loop {
            if let Some(head) = parse::head(&self.buffer[..self.filled])? {
                break head;
            }
            self.fill(&mut stream).await?;
        };
        match head.framing {
            Framing::Length(length) => {
                let end = head.body_at.saturating_add(length);
                while self.filled < end {
                    self.fill(&mut stream).await?;
                }
            }
            Framing::Chunked => {
                while !parse::chunks(&self.buffer[head.body_at..self.filled], &mut self.joined)? {
                    self.fill(&mut stream).await?;
                }
            }
        }
        if !head.closes {
            (self.stream, self.used) = (Some(stream), Instant::now());
        }
        let body = match head.framing {
            Framing::Length(length) => &self.buffer[head.body_at..head.body_at + length],
            Framing::Chunked => &self.joined,
        };
        Ok(Response { status: head.status, body })
    }

    /// Reads once.
    async fn fill(&mut self, stream: &mut TcpStream) -> Result<(), ClientError> {
        if self.filled == self.buffer.len() {
            if self.filled >= LONGEST {
                return Err(ClientError::Malformed("it is too long"));
            }
            self.buffer.resize(self.filled * 2, 0);
        }
        match stream.read(&mut self.buffer[self.filled..]).await? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
