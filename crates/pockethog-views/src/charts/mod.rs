//! Hand-drawn SVG charts: small, smooth, and coloured by the page.
//!
//! The curve is in an SVG that stretches with its box; everything that must not be stretched (text,
//! dots, markers) is in a second SVG above it that has no view box and places by percent. Neither
//! needs a `style` attribute, which the Content-Security-Policy forbids.

mod area;
mod blocks;
mod curve;
pub mod image;
mod markers;
pub mod png;
mod sparkline;
mod ticks;

pub use area::AreaChart;
pub use blocks::blocks;
pub use markers::{Cluster, Marker};
pub use sparkline::sparkline;
pub use ticks::ticks;
