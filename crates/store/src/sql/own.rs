//! The tables that the adapter adds to those of a role. They are declared like any other.

use firstcome_core::records::{Column, Kind, Table};

/// Events in the order of their commits, without gaps.
pub(super) static OUTBOX: Table = Table {
    name: "outbox",
    columns: &[
        column("position", Kind::Integer),
        column("id", Kind::Blob),
        column("kind", Kind::Text),
        column("subject", Kind::Text),
        column("at", Kind::Integer),
        column("data", Kind::Text),
    ],
    indexes: &[],
    append_only: false,
};

/// How far consumers have come: the version of a row is the position of the consumer of that name.
pub(super) static POSITIONS: Table =
    Table { name: "positions", columns: &[column("consumer", Kind::Text)], indexes: &[], append_only: false };

/// Among the consumers: the last event that was committed. Whoever commits events holds this row until the end of the
/// transaction, so that the numbers follow the order of commits and have no gaps.
pub(super) const LAST_EVENT: &str = "#outbox";
/// Among the consumers: the last event that the relay has carried to the log.
pub(super) const PUBLISHED: &str = "#published";
/// Among the consumers: raised by whoever wants to know that all commits before are on the disk.
pub(super) const BARRIER: &str = "#barrier";

/// Facts about the database: which role it belongs to, and what its indexes were made from.
pub(super) static META: Table = Table {
    name: "meta",
    columns: &[column("name", Kind::Text), column("value", Kind::Text)],
    indexes: &[],
    append_only: false,
};

/// Names that declared tables may not have.
pub(super) const OWN: [&Table; 3] = [&META, &POSITIONS, &OUTBOX];

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: false }
}
