//! The image widget as PNG.
//!
//! Inter is embedded (SIL Open Font License), so the text is there on a machine without fonts. It knows
//! Latin, Greek and Cyrillic; where a name needs another script, the machine's own fonts are read as
//! well, which takes longer.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};

use super::image::WidgetImage;

/// Why an image could not be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PngError {
    /// The SVG was not understood. It is ours, so this is a bug.
    #[error("the image could not be drawn: {0}")]
    Svg(#[from] resvg::usvg::Error),
    /// A scale that is not within 0.1 to 8.
    #[error("an image can be drawn at 0.1 to 8 times its size, not {0}")]
    Scale(f32),
    /// The PNG could not be written.
    #[error("the image could not be written: {0}")]
    Encoding(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Draws `image` as PNG, at `scale` device pixels per CSS pixel.
pub fn png(image: &WidgetImage, scale: f32) -> Result<Vec<u8>, PngError> {
    if !(0.1..=8.0).contains(&scale) {
        return Err(PngError::Scale(scale));
    }
    let mut fonts = Database::new();
    fonts.load_font_data(ttf_inter::REGULAR.to_vec());
    if image.texts().any(needs_other_fonts) {
        fonts.load_system_fonts();
    }
    let options = Options {
        font_family: "Inter V".to_owned(),
        fontdb: Arc::new(fonts),
        ..Options::default()
    };
    let tree = Tree::from_str(&image.svg(), &options)?;
    let size = tree
        .size()
        .to_int_size()
        .scale_by(scale)
        .ok_or(PngError::Scale(scale))?;
    let mut pixmap = Pixmap::new(size.width(), size.height()).ok_or(PngError::Scale(scale))?;
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut pixmap.as_mut(),
    );
    pixmap
        .encode_png()
        .map_err(|error| PngError::Encoding(error.into()))
}

/// True if Inter lacks a letter: beyond Cyrillic, except the punctuation and signs that it has.
fn needs_other_fonts(text: &str) -> bool {
    text.chars()
        .any(|letter| letter > '\u{52f}' && !('\u{1e00}'..='\u{22ff}').contains(&letter))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::charts::image::Figure;

    /// Colours of a drawn image.
    fn drawn(image: &WidgetImage) -> Vec<[u8; 4]> {
        let pixmap = Pixmap::decode_png(&png(image, 1.0).unwrap()).unwrap();
        pixmap.data().as_chunks::<4>().0.to_vec()
    }

    #[test]
    fn text_is_drawn_without_the_fonts_of_the_machine() {
        let mut image = WidgetImage {
            title: String::new(),
            figure: Figure::Message(String::new()),
            ..WidgetImage::default()
        };
        let empty = drawn(&image);
        "Acorn Market".clone_into(&mut image.title);
        let named = drawn(&image);
        let changed = empty.iter().zip(&named).filter(|(one, other)| one != other);
        assert!(changed.count() > 200);
    }

    #[test]
    fn bold_text_has_more_ink_than_regular_text() {
        let ink = |dark_title: bool| {
            let mut image = WidgetImage {
                figure: Figure::Message(String::new()),
                ..WidgetImage::default()
            };
            if dark_title {
                image.figure = Figure::Number("88888".to_owned(), None);
            } else {
                image.figure = Figure::Message("88888".to_owned());
            }
            drawn(&image).iter().filter(|pixel| pixel[0] < 128).count()
        };
        assert!(ink(true) > ink(false) * 2);
    }

    #[test]
    fn a_scale_out_of_bounds_is_refused() {
        let image = WidgetImage::default();
        assert!(matches!(png(&image, 0.0), Err(PngError::Scale(_))));
        assert!(matches!(png(&image, f32::NAN), Err(PngError::Scale(_))));
    }

    #[test]
    fn other_scripts_ask_for_other_fonts() {
        assert!(!needs_other_fonts("Ёжик – Straße …"));
        assert!(needs_other_fonts("مدونة"));
        assert!(needs_other_fonts("ハリネズミ"));
    }
}
