//! Times in import files: absolute, or relative to the import.

use std::time::Duration;

use firstcome_core::time::Time;

/// Whether a time depends on when the file is imported.
pub(super) fn is_relative(text: &str) -> bool {
    text.starts_with('+')
}

/// Reads `2026-11-20T09:00:00+09:00`, or `+90s`, `+2m`, `+1h`, `+3d` from `now`.
pub(super) fn parse(text: &str, now: Time) -> Result<Time, String> {
    let Some(relative) = text.strip_prefix('+') else {
        return text.parse().map_err(|error: firstcome_core::time::InvalidTime| error.to_string());
    };
    let wrong = || format!("{text} is not a time such as +2m; the units are s, m, h and d");
    let unit = relative.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = relative[..relative.len() - 1].parse().map_err(|_| wrong())?;
    Ok(now + Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_and_relative() {
        let now = Time::from_millis(1_000);
        assert_eq!(parse("+2m", now), Ok(Time::from_millis(121_000)));
        assert_eq!(parse("1970-01-01T09:00:01+09:00", now), Ok(now));
        for wrong in ["+", "+2", "+2y", "+-2m", "+\u{ac00}", "soon"] {
            assert!(parse(wrong, now).is_err(), "{wrong}");
        }
    }
}
