//! Pictures as they are sent and as they are kept: decoded and written anew, so that nothing of a file is kept but what can
//! be seen. Where and when it was taken, and whatever else hides in it, is gone.

use std::borrow::Cow;
use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits};

/// Pixels of a side.
const LONGEST_SIDE: u32 = 8_000;
/// Pixels altogether.
const MOST_PIXELS: u64 = 24_000_000;
/// Bytes that decoding may take.
const MOST_MEMORY: u64 = 160 << 20;
/// Bytes before the chunks of a PNG; those of a chunk around its data: length, kind and sum.
const SIGNATURE: usize = 8;
const AROUND: usize = 12;
/// Quality of a photo: no eye sees what is lost.
const QUALITY: u8 = 90;

/// A picture as it is kept.
pub(super) struct Picture {
    /// `image/jpeg` or `image/png`.
    pub(super) media: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Reads what was sent, whatever it was said to be; an error says what is wrong with it. What moves stands still. Takes a
/// while.
pub(super) fn read(sent: &[u8]) -> Result<Picture, String> {
    let format = image::guess_format(sent).ok();
    let known = |format: &ImageFormat| matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP);
    let format = format.filter(known).ok_or("is no JPEG, PNG or WebP")?;
    let image = decoded(sent, format)?;
    let (width, height) = (image.width(), image.height());
    let broken = |error: ImageError| format!("cannot be written anew: {error}");
    let mut bytes = Cursor::new(Vec::new());
    if format == ImageFormat::Png || image.color().has_alpha() {
        let plain =
            if image.color().has_alpha() { image.to_rgba8().into() } else { DynamicImage::from(image.to_rgb8()) };
        plain.write_to(&mut bytes, ImageFormat::Png).map_err(broken)?;
        return Ok(Picture { media: "image/png", bytes: bytes.into_inner(), width, height });
    }
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&image.to_rgb8()).map_err(broken)?;
    Ok(Picture { media: "image/jpeg", bytes: bytes.into_inner(), width, height })
}

/// The chunks of a PNG that say what can be seen, and how the camera was held. The others, which may be packed and huge, are
/// not unpacked at all.
fn drawn(png: &[u8]) -> Vec<u8> {
    let (signature, mut rest) = png.split_at(SIGNATURE.min(png.len()));
    let mut kept = signature.to_vec();
    while let Some((length, data)) = rest.split_first_chunk::<4>() {
        let is_drawn = |kind: &[u8; 4]| kind[0].is_ascii_uppercase() || [b"tRNS", b"eXIf"].contains(&kind);
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (chunk, behind) = rest.split_at(length.saturating_add(AROUND).min(rest.len()));
        if data.first_chunk().is_none_or(is_drawn) {
            kept.extend_from_slice(chunk);
        }
        rest = behind;
    }
    kept
}

fn decoded(sent: &[u8], format: ImageFormat) -> Result<DynamicImage, String> {
    let unreadable = |error: ImageError| match error {
        ImageError::Limits(_) => format!("has sides of {LONGEST_SIDE} pixels at most"),
        error => format!("cannot be read: {error}"),
    };
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST_SIDE), Some(LONGEST_SIDE));
    limits.max_alloc = Some(MOST_MEMORY);
    let sent = if format == ImageFormat::Png { Cow::from(drawn(sent)) } else { Cow::from(sent) };
    let mut reader = ImageReader::with_format(Cursor::new(sent), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(format!("has {MOST_PIXELS} pixels at most"));
    }
    // How a camera was held stands in what is taken off.
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    image.apply_orientation(orientation);
    Ok(image)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn written(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).expect("written");
        bytes.into_inner()
    }

    /// A JPEG with a block of EXIF that says that the camera lay on its side, and where it was.
    fn photo() -> Vec<u8> {
        let plain = written(RgbImage::from_pixel(4, 2, Rgb([200, 10, 10])), ImageFormat::Jpeg);
        let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
        exif.extend(b"37.5665N 126.9780E");
        let length = u16::try_from(exif.len() + 2).expect("short").to_be_bytes();
        [&plain[..2], &[0xff, 0xe1], &length, &exif, &plain[2..]].concat()
    }

    #[test]
    fn nothing_is_kept_but_what_can_be_seen() {
        let sent = photo();
        let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(has(&sent, b"126.9780E"));
        let kept = read(&sent).expect("a picture");
        assert_eq!((kept.media, kept.width, kept.height), ("image/jpeg", 2, 4), "it stands upright");
        assert!(!has(&kept.bytes, b"126.9780E") && !has(&kept.bytes, b"Exif"));
        let mut hidden = written(RgbImage::new(3, 3), ImageFormat::Png);
        hidden.extend(b"<script>alert(1)</script>");
        assert!(!has(&read(&hidden).expect("a picture").bytes, b"script"));
    }

    #[test]
    fn what_is_packed_in_a_png_stays_packed() {
        let plain = written(RgbaImage::new(3, 3), ImageFormat::Png);
        let chunk = |kind: &[u8; 4], data: &[u8]| {
            let length = u32::try_from(data.len()).expect("short").to_be_bytes();
            [&length, kind.as_slice(), data, &[0; 4]].concat()
        };
        // The header, which is a chunk of 13 bytes, comes first.
        let (header, behind) = plain.split_at(SIGNATURE + AROUND + 13);
        for kind in [b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"acTL"] {
            let sent = [header, &chunk(kind, b"name\0\0packed"), behind, &chunk(kind, b"")].concat();
            assert_eq!(drawn(&sent), plain, "{}", String::from_utf8_lossy(kind));
        }
        let held = [header, &chunk(b"eXIf", b"MM"), &chunk(b"tRNS", b""), behind].concat();
        assert_eq!(drawn(&held), held);
        let mut false_length = chunk(b"IDAT", b"1");
        false_length[..4].fill(0xff);
        for cut in [&plain[..3], &plain[..30], &plain[..plain.len() - 2], &[header, &false_length].concat()] {
            assert_eq!(drawn(cut), cut);
        }
    }

    #[test]
    fn every_format_is_known_by_what_it_is() {
        let through = RgbaImage::from_pixel(3, 3, Rgba([1, 2, 3, 4]));
        for (sent, media) in [
            (written(RgbImage::new(3, 3), ImageFormat::Jpeg), "image/jpeg"),
            (written(RgbImage::new(3, 3), ImageFormat::Png), "image/png"),
            (written(RgbImage::new(3, 3), ImageFormat::WebP), "image/jpeg"),
            (written(through.clone(), ImageFormat::WebP), "image/png"),
            (written(through, ImageFormat::Png), "image/png"),
        ] {
            let kept = read(&sent).expect("a picture");
            assert_eq!((kept.media, kept.width, kept.height), (media, 3, 3));
            assert_eq!(read(&kept.bytes).expect("what is kept is a picture").media, media);
        }
    }

    #[test]
    fn what_is_none_or_too_large_is_refused() {
        let gif = b"GIF89a\x01\0\x01\0\0\0\0;".as_slice();
        let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".as_slice();
        let png = written(RgbImage::new(30, 30), ImageFormat::Png);
        let jpeg = written(RgbImage::new(30, 30), ImageFormat::Jpeg);
        for sent in [b"".as_slice(), b"hello", gif, svg, &png[..40], &jpeg[..jpeg.len() / 2]] {
            assert!(read(sent).is_err(), "{:?}", String::from_utf8_lossy(sent));
        }
        let wide = written(RgbImage::new(LONGEST_SIDE + 1, 1), ImageFormat::Png);
        assert!(read(&wide).err().expect("refused").contains("8000 pixels"));
        let many = written(RgbImage::new(6_000, 6_000), ImageFormat::Png);
        assert!(many.len() < 2 << 20, "little is sent");
        assert!(read(&many).err().expect("refused").contains("24000000 pixels"));
    }
}
