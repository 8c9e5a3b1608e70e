//! Pictures as pixels.

use anyhow::{Context, Result};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// Pixels for each unit of the SVG: as sharp as a screen of twice the usual density.
const ZOOM: f32 = 2.0;

/// An SVG as this module's own are, as PNG on white. Its text is set in a font that the program carries,
/// so that a machine without fonts draws the same.
pub fn png(svg: &str) -> Result<Vec<u8>> {
    let mut options = Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    let family = fonts.faces().next().and_then(|face| face.families.first()).context("no font")?.0.clone();
    fonts.set_sans_serif_family(family.clone());
    fonts.set_serif_family(family);
    let tree = Tree::from_str(svg, &options).context("the picture is no SVG")?;
    let size = tree.size().to_int_size().scale_by(ZOOM).context("the picture has no size")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).context("the picture has no size")?;
    pixels.fill(Color::WHITE);
    resvg::render(&tree, Transform::from_scale(ZOOM, ZOOM), &mut pixels.as_mut());
    Ok(marked(pixels.encode_png().context("cannot write the picture")?))
}

/// A PNG with [`MARK`](crate::mark::MARK) as its comment.
fn marked(mut png: Vec<u8>) -> Vec<u8> {
    // Length, type, keyword and text, CRC-32: always the same bytes.
    const COMMENT: &[u8] = b"\x00\x00\x00\x1atEXtComment\0Written by tinygpt\xb1\xb3\xc5\xad";
    // After the signature and the header, which comes first in every PNG.
    const HEADER_ENDS: usize = 8 + 25;
    png.splice(HEADER_ENDS..HEADER_ENDS, COMMENT.iter().copied());
    png
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::MARK;

    /// The pixels that are not white, of the picture that shows `text`.
    fn inked(text: &str) -> usize {
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"80\" height=\"20\"><style>text {{ font: 12px system-ui, sans-serif; fill: #333 }}</style><text x=\"2\" y=\"14\">{text}</text></svg>"
        );
        let png = png(&svg).unwrap();
        assert!(png.windows(MARK.len()).any(|bytes| bytes == MARK.as_bytes()));
        let pixels = Pixmap::decode_png(&png).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (160, 40));
        pixels.pixels().iter().filter(|pixel| pixel.red() < 200).count()
    }

    #[test]
    fn text_is_drawn_with_the_fonts_that_the_program_carries() {
        assert_eq!(inked(""), 0);
        for text in ["loss", "\u{2212}1", "\u{2190}", "\u{2192}", "\u{2013}", "~"] {
            assert!(inked(text) > 4, "{text}");
        }
    }
}
