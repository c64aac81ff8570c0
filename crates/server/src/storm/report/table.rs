//! The result table and the remarks below it.

use std::fmt::{self, Write as _};

use super::Row;

/// One line for each row, in columns.
pub(super) fn write_table(out: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let head = [
        "scenario", "requests", "ok", "refused", "errors", "per s", "floor/s", "ratio", "aim", "p50", "p95", "p99",
        "max",
    ];
    let mut table = vec![head.map(ToOwned::to_owned)];
    for row in rows {
        let latency = row.latency;
        table.push([
            row.name(),
            row.requests.to_string(),
            row.ok.to_string(),
            row.refused.values().sum::<u64>().to_string(),
            row.errors.to_string(),
            format!("{:.0}", row.per_second),
            row.floor.as_ref().map_or_else(String::new, |floor| format!("{:.0}", floor.per_second)),
            row.floor.as_ref().map_or_else(String::new, |floor| format!("{:.2}", floor.ratio)),
            row.aim.unwrap_or_default().to_owned(),
            duration(latency.p50_micros),
            duration(latency.p95_micros),
            duration(latency.p99_micros),
            duration(latency.max_micros),
        ]);
    }
    for cells in &table {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let width = table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
            let padding = " ".repeat(width - cell.chars().count());
            // Names to the left, figures to the right.
            let _ = if column == 0 { write!(line, "{cell}{padding}") } else { write!(line, "  {padding}{cell}") };
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What a row has no column for.
pub(super) fn write_remarks(out: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    write!(out, "{}: ", row.name())?;
    let micros = |micros: Option<f64>| micros.map_or("unknown".to_owned(), |micros| format!("{micros:.1} µs"));
    write!(
        out,
        "processor time per request {} shop, {:.1} µs generator",
        micros(row.shop_micros),
        row.generator_micros
    )?;
    if let Some(floor) = &row.floor {
        let ratios: Vec<String> = floor.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        write!(
            out,
            "; floor {:.1} µs, {:.1} µs; ratios {}",
            floor.server_micros,
            floor.generator_micros,
            ratios.join(" ")
        )?;
    }
    writeln!(out)?;
    for (code, count) in &row.refused {
        writeln!(out, "  refused {count} with {code}")?;
    }
    if row.late > 0 {
        writeln!(out, "  {} times someone had to wait for a connection", row.late)?;
    }
    for words in &row.error_words {
        writeln!(out, "  error: {words}")?;
    }
    if let Some(note) = &row.note {
        writeln!(out, "  note: {note}")?;
    }
    Ok(())
}

/// A duration in the unit that fits.
fn duration(micros: f64) -> String {
    match micros {
        micros if micros < 1_000.0 => format!("{micros:.0} µs"),
        micros if micros < 1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        micros => format!("{:.1} s", micros / 1e6),
    }
}
