//! A page, or a refusal, as HTML or as JSON.

use std::sync::Arc;

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use shared::view::format::{ago, time};

use crate::{
    error::Error,
    memory::Shown,
    page::{self, Context},
    render::{self, Frame, HTML},
    route::{self},
    state::Console,
};

/// Around the part of a page that is sent again when it changes.
pub(crate) const LIVE: (&str, &str) = ("<!--live-->", "<!--/live-->");

const JSON: &str = "application/json";

/// A page as it is shown.
pub(crate) struct Page {
    pub(crate) html: String,
    /// As JSON.
    pub(crate) data: Arc<str>,
    /// Why this is not what is so now, and since when.
    pub(crate) stale: Option<(String, chrono::DateTime<chrono::Utc>)>,
}

/// Finds a page and makes HTML of it; what it showed last where PostgreSQL is unavailable.
/// `user` reads it; `notice` is said before all else.
pub(crate) async fn show(
    console: &Arc<Console>,
    request: route::Request,
    user: Option<&str>,
    notice: &str,
) -> Result<Page, Error> {
    let (address, json) = (request.address.clone(), request.json_address());
    let live = request.route.is_live();
    let sample = console.sampler.sample().await;
    let now = console.clock.now();
    let context = Context { console, sample: Arc::clone(&sample), now };
    let found = page::find(&context, request).await;
    let failed = |error: askama::Error| Error::Failed(format!("the page cannot be made: {error}"));
    let (shown, title, notice, stale) = match found {
        Ok(found) => {
            let sections = render::sections(&found.document).map_err(failed)?;
            let shown = Shown {
                title: found.document.title,
                sections: sections.into(),
                data: found.data.to_string().into(),
                at: now,
            };
            console.memory.keep(&address, shown.clone());
            (shown.clone(), shown.title, notice.to_owned(), None)
        }
        Err(Error::Unavailable(why)) => {
            let Some(shown) = console.memory.recall(&address) else { return Err(Error::Unavailable(why)) };
            let notice = format!(
                "Stale: this is how it was at {} ({}). It cannot be read now: {why}.",
                time(shown.at),
                ago(shown.at, now)
            );
            let at = shown.at;
            (shown.clone(), shown.title, notice, Some((why, at)))
        }
        Err(error) => return Err(error),
    };
    let frame = Frame {
        title: &title,
        address: &address,
        json: &json,
        notice: &notice,
        at: shown.at,
        live,
        acts: console.guard.allows_actions(),
        user,
    };
    let html = render::page(&frame, &sample, &shown.sections).map_err(failed)?;
    Ok(Page { html, data: shown.data, stale })
}

/// The part of a page that changes, or why there is none.
pub(crate) async fn live_part(console: &Arc<Console>, address: &str) -> String {
    let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
    let page = match route::Request::parse(path, query) {
        Ok(request) => show(console, request, None, "").await.map(|page| page.html),
        Err(error) => Err(error),
    };
    let html = match page {
        Ok(html) => html,
        Err(error) => refusal(console, address, &error).await,
    };
    let part = html.split_once(LIVE.0).and_then(|(_, rest)| rest.split_once(LIVE.1));
    // An event ends its lines at a carriage return too.
    part.map(|(part, _)| part.replace('\r', "&#13;")).unwrap_or_default()
}

pub(crate) fn as_json(shown: &Result<Page, Error>) -> Response {
    match shown {
        Ok(Page { data, stale: None, .. }) => ([(CONTENT_TYPE, JSON)], data.to_string()).into_response(),
        Ok(Page { data, stale: Some((why, at)), .. }) => {
            let last: Value = serde_json::from_str(data).unwrap_or_default();
            let stale = json!({ "error": why, "stale_since": at, "last": last });
            (StatusCode::SERVICE_UNAVAILABLE, axum::Json(stale)).into_response()
        }
        Err(error) => (error.status(), axum::Json(json!({ "error": error.words() }))).into_response(),
    }
}

pub(crate) async fn refuse(console: &Arc<Console>, address: &str, error: &Error) -> Response {
    (error.status(), [(CONTENT_TYPE, HTML)], refusal(console, address, error).await).into_response()
}

/// A page that says why there is none.
pub(crate) async fn refusal(console: &Arc<Console>, address: &str, error: &Error) -> String {
    let title = match error {
        Error::NotFound(_) => "Not found",
        Error::BadRequest(_) => "Not understood",
        Error::Unavailable(_) => "Unavailable",
        Error::Failed(_) => "Something went wrong",
    };
    let sample = console.sampler.sample().await;
    let frame = Frame {
        title,
        address,
        json: "",
        notice: error.words(),
        at: sample.at,
        live: true,
        acts: console.guard.allows_actions(),
        user: None,
    };
    render::page(&frame, &sample, "").unwrap_or_else(|_| error.words().to_owned())
}
