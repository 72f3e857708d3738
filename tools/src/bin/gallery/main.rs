//! Writes every page in every state, with invented data, as HTML files to the folder given as the
//! argument, for looking at them in a browser.

use std::path::Path;
use std::{env, fs, io};

use pockethog_core::overview::Change;
use pockethog_core::overview::{Point, Range};
use pockethog_core::preferences::Scheme;
use pockethog_views::charts::image::{Figure, Size, WidgetImage};
use pockethog_views::charts::png::png;
use pockethog_views::pages;
use tools::screens;

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).unwrap_or_else(|| "gallery".to_owned());
    let folder = Path::new(&folder);
    fs::create_dir_all(folder.join("assets"))?;
    fs::write(folder.join("assets/style.css"), pages::style_sheet())?;
    fs::write(folder.join("assets/app.js"), pages::SCRIPT)?;
    fs::write(folder.join("assets/icon.svg"), pages::ICON)?;
    for face in pages::typeface::faces() {
        fs::write(folder.join("assets").join(&face.name), face.bytes)?;
    }
    widgets(folder)?;
    for (name, page) in screens::all() {
        fs::write(folder.join(format!("{name}.html")), page.into_string())?;
    }
    Ok(())
}

/// The image widget in every size, as SVG and as PNG.
fn widgets(folder: &Path) -> io::Result<()> {
    let month = screens::period(Range::Month, 30);
    let visitors = |points: &[Point]| {
        points
            .iter()
            .map(|point| point.visitors)
            .collect::<Vec<_>>()
    };
    for (name, size, dark, scheme, title) in [
        (
            "widget-small",
            Size::Small,
            false,
            Scheme::Fern,
            "Acorn Market",
        ),
        (
            "widget-medium",
            Size::Medium,
            false,
            Scheme::Ember,
            "Acorn Market",
        ),
        (
            "widget-medium-dark",
            Size::Medium,
            true,
            Scheme::Lagoon,
            "Ёжик в тумане, ein langer Name für ein Projekt mit vielen Worten",
        ),
        (
            "widget-large-dark",
            Size::Large,
            true,
            Scheme::Plum,
            "All projects",
        ),
    ] {
        let image = WidgetImage {
            size,
            scheme,
            dark,
            title: title.to_owned(),
            caption: "last 30 days".to_owned(),
            remark: String::new(),
            figure: Figure::Number(
                "125,686".to_owned(),
                Some(Change::between(125_686, 103_106)),
            ),
            curve_title: String::new(),
            running: true,
            values: visitors(&month.points),
            before: visitors(&month.points_before),
            annotations: vec![0.17, 0.38, 0.83],
            axis: [(5, "30 Oct"), (13, "7 Nov"), (21, "15 Nov"), (29, "23 Nov")]
                .map(|(place, name)| (place, name.to_owned()))
                .to_vec(),
            rows: screens::usual_home()
                .home
                .cards
                .iter()
                .map(|card| {
                    let change = Change::between(1_670, 1_863);
                    (card.name.clone(), "1,670".to_owned(), change)
                })
                .collect(),
        };
        fs::write(folder.join(format!("{name}.svg")), image.svg())?;
        let png = png(&image, 2.0).map_err(io::Error::other)?;
        fs::write(folder.join(format!("{name}.png")), png)?;
    }
    Ok(())
}
