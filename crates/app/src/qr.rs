//! QR codes as SVG: what a camera at a till or a gate reads instead of a person's typing.

use std::fmt::Write as _;

use qrcode::{Color, QrCode};

/// Light modules around the code, without which scanners do not find it: four, says ISO/IEC 18004.
const QUIET: usize = 4;

/// A picture of a text, dark on white. None when it is too long for one.
pub(crate) fn svg(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let (width, modules) = (code.width(), code.to_colors());
    let mut dark = String::new();
    for (place, _) in modules.iter().enumerate().filter(|(_, color)| **color == Color::Dark) {
        let (x, y) = (place % width + QUIET, place / width + QUIET);
        write!(dark, "M{x} {y}h1v1h-1z").expect("a string takes everything");
    }
    let side = width + 2 * QUIET;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{dark}\"/></svg>"
    ))
}

/// What a camera reads of a picture that [`svg`] made.
#[cfg(test)]
pub(crate) fn read(picture: &str) -> String {
    const DOTS: usize = 8;
    let between =
        |start: &str, end| picture.split(start).nth(1).and_then(|rest| rest.split(end).next()).expect("there");
    let side: usize = between("viewBox=\"0 0 ", ' ').parse().expect("a number");
    let dark = between("<path fill=\"#000\" d=\"M", '"');
    let dark: std::collections::HashSet<&str> =
        dark.split('M').map(|module| module.trim_end_matches("h1v1h-1z")).collect();
    let shade = |x, y| if dark.contains(format!("{} {}", x / DOTS, y / DOTS).as_str()) { 0 } else { 255 };
    let mut seen = rqrr::PreparedImage::prepare_from_greyscale(side * DOTS, side * DOTS, shade);
    let found = seen.detect_grids();
    assert_eq!(found.len(), 1, "one code");
    found[0].decode().expect("readable").1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_reads_what_was_drawn() {
        for text in ["7Q4M-2K9D-XW3T-P0RV", "0000-0000-0000-0000", "ZZZZ-ZZZZ-ZZZZ-ZZZZ", "words <in> \"quotes\" &c"] {
            assert_eq!(read(&svg(text).expect("a picture")), text);
        }
        assert_eq!(svg(&"long".repeat(2_000)), None);
    }
}
