//! The image widget as PNG.
//!
//! Inter is embedded (SIL Open Font License), so the text is there on a machine without fonts. It knows
//! Latin, Greek and Cyrillic; where a name needs another script, the machine's own fonts are read as
//! well, which takes longer.

#[cfg(feature = "png")]
mod draw;

use super::image::WidgetImage;

/// Why an image could not be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PngError {
    /// The SVG was not understood. It is ours, so this is a bug.
    #[error("the image could not be drawn: {0}")]
    Svg(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A scale that is not within 0.1 to 8.
    #[error("an image can be drawn at 0.1 to 8 times its size, not {0}")]
    Scale(f32),
    /// The PNG could not be written.
    #[error("the image could not be written: {0}")]
    Encoding(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The crate was built without its feature `png`.
    #[error("this PocketHog was built without PNG (the feature `png`); use the format svg")]
    LeftOut,
}

/// Draws `image` as PNG, at `scale` device pixels per CSS pixel.
///
/// # Errors
///
/// See [`PngError`].
pub fn png(image: &WidgetImage, scale: f32) -> Result<Vec<u8>, PngError> {
    if !(0.1..=8.0).contains(&scale) {
        return Err(PngError::Scale(scale));
    }
    #[cfg(feature = "png")]
    return draw::png(image, scale);
    #[cfg(not(feature = "png"))]
    {
        let _ = image;
        Err(PngError::LeftOut)
    }
}
