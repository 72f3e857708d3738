//! Style sheet, script, icon and typeface.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use super::State;
use pockethog_views::pages;

/// `/assets/…`: they need no cookie, and show nothing of an account.
pub fn routes() -> Router<Arc<State>> {
    static STYLE: OnceLock<String> = OnceLock::new();
    let typeface = pages::typeface::faces()
        .iter()
        .fold(Router::new(), |routes, face| {
            let path = format!("{}{}", pages::typeface::FOLDER, face.name);
            routes.route(
                &path,
                get(|| async { unchanging("font/woff2", face.bytes) }),
            )
        });
    typeface
        .route(
            "/assets/style.css",
            get(|| async {
                let style = STYLE.get_or_init(pages::style_sheet);
                asset("text/css; charset=utf-8", style)
            }),
        )
        .route(
            "/assets/app.js",
            get(|| async { asset("text/javascript; charset=utf-8", pages::SCRIPT) }),
        )
        .route(
            "/assets/icon.svg",
            get(|| async { asset("image/svg+xml", pages::ICON) }),
        )
        .route(
            "/assets/{*unknown}",
            any(|| async { StatusCode::NOT_FOUND }),
        )
}

fn asset(kind: &'static str, body: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

/// What its address changes with: a browser keeps it.
fn unchanging(kind: &'static str, body: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, body).into_response()
}
