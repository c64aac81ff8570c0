//! Reads the heads of HTTP/1.1 responses: only what a load generator needs to know of them.

use memchr::{memchr, memmem};

/// How the end of a response's body is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// So many bytes follow the head.
    Length(usize),
    /// Chunks follow, the last of them empty.
    Chunked,
}

/// What stands before the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// The status code.
    pub(crate) status: u16,
    /// How long the body is.
    pub(crate) framing: Framing,
    /// Whether the server closes the connection after this response.
    pub(crate) closes: bool,
    /// Where the body begins.
    pub(crate) body_at: usize,
}

/// The bytes are not an HTTP/1.1 response that this client understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// The head of a response; none while its end has not arrived.
pub(crate) fn head(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let status = match bytes {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            b'1',
            b' ',
            a @ b'1'..=b'5',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            ..,
        ] => u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'),
        _ => return Err(Malformed("the status line is not HTTP/1.1")),
    };
    let mut head = Head { status, framing: Framing::Length(0), closes: false, body_at: end + 4 };
    let mut rest = &bytes[..end + 2];
    while let Some(newline) = memchr(b'\n', rest) {
        header(rest[..newline].trim_ascii_end(), &mut head)?;
        rest = &rest[newline + 1..];
    }
    Ok(Some(head))
}

/// Takes what matters from one header line.
fn header(line: &[u8], head: &mut Head) -> Result<(), Malformed> {
    if let Some(value) = value_of(line, b"content-length:") {
        let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        head.framing = Framing::Length(length.ok_or(Malformed("content-length is not a number"))?);
    } else if let Some(value) = value_of(line, b"transfer-encoding:") {
        if value.eq_ignore_ascii_case(b"chunked") {
            head.framing = Framing::Chunked;
        }
    } else if let Some(value) = value_of(line, b"connection:") {
        head.closes = value.eq_ignore_ascii_case(b"close");
    }
    Ok(())
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// Copies the chunks of a body to `into`; true when the last one has arrived, false to be asked again with more bytes.
pub(crate) fn chunks(mut bytes: &[u8], into: &mut Vec<u8>) -> Result<bool, Malformed> {
    into.clear();
    loop {
        let Some(line_end) = memmem::find(bytes, b"\r\n") else { return Ok(false) };
        let size = bytes[..line_end].split(|byte| *byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(size.trim_ascii()).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.ok_or(Malformed("a chunk's size is not a number"))?;
        let Some(chunk) = bytes[line_end + 2..].get(..size.saturating_add(2)) else { return Ok(false) };
        if size == 0 {
            return Ok(true);
        }
        into.extend_from_slice(&chunk[..size]);
        bytes = &bytes[line_end + 4 + size..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_with_length() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\nconnection: close\r\n\r\nhello";
        let expected = Head { status: 201, framing: Framing::Length(12), closes: true, body_at: bytes.len() - 5 };
        assert_eq!(head(bytes), Ok(Some(expected)));
        assert_eq!(head(&bytes[..40]), Ok(None));
    }

    #[test]
    fn strange_heads_are_refused() {
        assert!(head(b"HTTP/2 200\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 20x OK\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-length: minus\r\n\r\n").is_err());
    }

    #[test]
    fn chunked_bodies() {
        let mut body = Vec::new();
        let bytes = b"4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\n\r\n";
        assert_eq!(chunks(bytes, &mut body), Ok(true));
        assert_eq!(body, b"abcdefg");
        for end in 0..bytes.len() {
            assert_eq!(chunks(&bytes[..end], &mut body), Ok(false), "cut at {end}");
        }
        assert!(chunks(b"zz\r\n", &mut body).is_err());
    }
}
