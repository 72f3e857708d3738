//! Draws with resvg.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};

use super::PngError;
use crate::charts::image::WidgetImage;

/// As [`super::png`], of a scale that is sound.
pub(super) fn png(image: &WidgetImage, scale: f32) -> Result<Vec<u8>, PngError> {
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
    let svg = Tree::from_str(&image.svg(), &options);
    let tree = svg.map_err(|error| PngError::Svg(error.into()))?;
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
