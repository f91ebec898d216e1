//! The style and the script, in the binary; each has its content's hash in its name, so that a browser may keep it for ever.

use std::sync::LazyLock;

use axum::{
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use ring::digest::{SHA256, digest};

const CSS: &[u8] = include_bytes!("../assets/console.css");
const JS: &[u8] = include_bytes!("../assets/console.js");

/// The paths of both.
pub(crate) static PATHS: LazyLock<Paths> =
    LazyLock::new(|| Paths { css: path("css", CSS), js: path("js", JS) });

/// Where the style and the script are.
pub(crate) struct Paths {
    pub(crate) css: String,
    pub(crate) js: String,
}

fn path(kind: &str, content: &[u8]) -> String {
    let hash = digest(&SHA256, content);
    let (short, _) = hash.as_ref().split_at(8);
    let hash = short.iter().fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte));
    format!("/assets/console-{hash:016x}.{kind}")
}

/// The asset at this path; none where there is none.
pub(crate) fn find(path: &str) -> Option<Response> {
    let (kind, content) = match path {
        path if path == PATHS.css => ("text/css; charset=utf-8", CSS),
        path if path == PATHS.js => ("text/javascript; charset=utf-8", JS),
        _ => return None,
    };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Some((headers, content).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_and_style_stay_small() {
        assert!(JS.len() <= 15_000, "{}", JS.len());
        assert!(JS.split(|byte| *byte == b'\n').count() <= 150);
        assert!(CSS.len() <= 25_000, "{}", CSS.len());
    }
}
