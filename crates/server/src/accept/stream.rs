//! The socket as hyper sees it. It keeps back the bare answer that hyper gives by itself to what is no HTTP, so that a
//! problem document can be sent instead, and knows whether an answer may begin.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::net::TcpStream;

/// The statuses of hyper's own answers.
const OWN: [&[u8]; 3] = [b"400", b"414", b"431"];

/// A client's socket.
pub(super) struct Stream {
    socket: TokioIo<TcpStream>,
    /// Everything that hyper wanted to send is sent.
    sent: bool,
    /// An answer of hyper's own was kept back; it is the last.
    kept_back: bool,
    closed: bool,
}

impl Stream {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket: TokioIo::new(socket), sent: true, kept_back: false, closed: false }
    }

    /// Whether an answer may be sent now: no other one is cut short by it.
    pub(super) fn may_answer(&self) -> bool {
        self.sent && !self.closed
    }

    pub(super) fn into_socket(self) -> TcpStream {
        self.socket.into_inner()
    }

    fn keep_back(&mut self, head: &[u8]) -> bool {
        self.kept_back = self.sent && is_own(head);
        self.kept_back
    }
}

/// Whether this is an answer that hyper gives by itself. It has no content; every refusal of ours is a document.
fn is_own(head: &[u8]) -> bool {
    head.get(9..12).is_some_and(|status| OWN.contains(&status))
        && head.starts_with(b"HTTP/1.")
        && head.ends_with(b"\r\n\r\n")
        && memmem::find(head, b"\r\ncontent-type:").is_none()
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.keep_back(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.sent = false;
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // An answer of hyper's own is one part.
        if let [head] = parts
            && self.keep_back(head)
        {
            return Poll::Ready(Ok(head.len()));
        }
        self.sent = false;
        Pin::new(&mut self.socket).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// hyper flushes when nothing is left to write.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sent = true;
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.kept_back {
            return Poll::Ready(Ok(()));
        }
        self.closed = true;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn tells_answers_of_hyper_from_those_of_the_shop() {
        let own = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: x\r\n\r\n";
        assert!(is_own(own));
        assert!(is_own(b"HTTP/1.0 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n"));
        for ours in [
            &b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: 2\r\n\r\n"[..],
            b"HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"data: HTTP/1.1 400\r\n\r\n",
            &own[..own.len() - 2],
            &own[..10],
            b"",
        ] {
            assert!(!is_own(ours), "{}", String::from_utf8_lossy(ours));
        }
    }
}
