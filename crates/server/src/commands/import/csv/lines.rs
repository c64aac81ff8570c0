//! On which line a record stands.

/// Counts lines, whether they end as on Unix or as on Windows. Asked for places in the order of the file.
pub(super) struct Lines<'a> {
    text: &'a str,
    read: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, read: 0, line: 1 }
    }

    /// The line on which the record at this position begins. The reader stands before what is left of the last line's end.
    pub(super) fn line_of(&mut self, position: &csv::Position) -> usize {
        let bytes = self.text.as_bytes();
        let mut begin = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(bytes.len());
        while matches!(bytes.get(begin), Some(b'\r' | b'\n')) {
            begin += 1;
        }
        while self.read < begin {
            let lone = bytes[self.read] == b'\r' && bytes.get(self.read + 1) != Some(&b'\n');
            self.line += usize::from(lone || bytes[self.read] == b'\n');
            self.read += 1;
        }
        self.line
    }
}
