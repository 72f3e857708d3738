//! The pictures in `docs/screens`: taken by the tests on the way, written only when
//! `POCKETHOG_SCREENS=1` asks for it, so that a test run leaves the repository as it was.

use std::path::{Path, PathBuf};

use super::{Browser, Look};

/// Where the pictures are stored.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screens")
}

/// True if pictures are to be written.
pub fn wanted() -> bool {
    std::env::var_os("POCKETHOG_SCREENS").is_some_and(|value| value == "1")
}

/// Width and height of the window, and how tall it may grow for a long page, in pixels.
const SIZES: [(u32, u32, u32); 2] = [(390, 844, 1300), (1280, 800, 1000)];

/// Takes `name` at 390 and at 1280 pixels in each of `looks`, and leaves the browser wide and light.
pub async fn take(browser: &Browser, name: &str, looks: &[Look]) {
    if !wanted() {
        return;
    }
    std::fs::create_dir_all(folder()).unwrap();
    for &look in looks {
        browser.look(look).await;
        for (width, height, tallest) in SIZES {
            let picture = browser.picture(width, height, tallest).await;
            let file = folder().join(format!("{name}-{width}-{}.png", look.name()));
            std::fs::write(file, picture).unwrap();
        }
    }
    browser.look(Look::Light).await;
}
