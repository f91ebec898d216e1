//! HTTP: requests in, pages out.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::to_bytes,
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderName, HeaderValue, Method, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Redirect, Response, Sse},
    routing::any,
};
use shared::{failure::Failure, runtime::Service};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::show::{as_json, live_part, refuse, show};
use crate::{
    asset,
    error::Error,
    guard::{HEADERS, LOGIN, Visitor},
    live, login,
    order::{self, Placed},
    render::HTML,
    route::{self, Route},
    search,
    state::{Console, NAME},
};

/// The longest form, in bytes.
const LONGEST_FORM: usize = 64 * 1024;
impl Service for Console {
    const NAME: &'static str = NAME;

    async fn serve(self: Arc<Self>, probes: SocketAddr, stop: CancellationToken) -> Result<(), Failure> {
        serve(self, probes, stop).await
    }
}

async fn serve(console: Arc<Console>, probes: SocketAddr, stop: CancellationToken) -> Result<(), Failure> {
    let listen = console.listen;
    let cannot = |error| Failure::permanent("console.listen", format!("cannot listen on {listen}: {error}"));
    let listener = TcpListener::bind(listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    tracing::info!(%address, %probes, "console is ready: http://{address}/");
    let app = Router::new()
        .fallback(any(answer))
        .layer(from_fn_with_state(Arc::clone(&console), guard))
        .with_state(console);
    // Open pages would keep it for ever: they connect again by themselves.
    tokio::select! {
        served = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()) => served.map_err(cannot),
        () = stop.cancelled() => Ok(()),
    }
}

/// Answers, or says why not.
async fn guard(
    State(console): State<Arc<Console>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = request.uri().path_and_query().map_or("/", |address| address.as_str()).to_owned();
    let now = console.clock.now().timestamp();
    let admitted = console.guard.admit(request.method(), &address, request.headers(), peer.ip(), now).await;
    let mut response = match admitted {
        Err(refusal) => refusal,
        Ok(visitor) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn answer(State(console): State<Arc<Console>>, request: Request) -> Response {
    let user = request.extensions().get::<Visitor>().and_then(|visitor| visitor.user.clone());
    if request.method() == Method::POST {
        return Box::pin(change(&console, request, user)).await;
    }
    let uri = request.uri();
    if let Some(asset) = asset::find(uri.path()) {
        return asset;
    }
    if uri.path() == LOGIN && console.guard.allows_actions() {
        return login::page(uri.query().unwrap_or_default());
    }
    if uri.path() == "/live" {
        return live_events(&console, uri).await;
    }
    let request = match route::Request::parse(uri.path(), uri.query()) {
        Ok(request) => request,
        Err(error) => return refuse(&console, uri.path(), &error).await,
    };
    if request.route == Route::Search {
        return search(&console, request).await;
    }
    let (json, address) = (request.json, request.address.clone());
    let shown = show(&console, request, user.as_deref(), "").await;
    if json {
        return as_json(&shown);
    }
    match shown {
        Ok(shown) => ([(CONTENT_TYPE, HTML)], shown.html).into_response(),
        Err(error) => refuse(&console, &address, &error).await,
    }
}

/// Does what a form asks for.
async fn change(console: &Arc<Console>, request: Request, user: Option<String>) -> Response {
    let path = request.uri().path().to_owned();
    let form = to_bytes(request.into_body(), LONGEST_FORM).await;
    let Ok(Ok(form)) = form.map(|form| String::from_utf8(form.to_vec())) else {
        return refuse(console, &path, &Error::BadRequest("The form cannot be read.".into())).await;
    };
    if path == LOGIN {
        return login::enter(console, &form).await;
    }
    if path == "/logout" {
        return login::leave();
    }
    let Some(user) = user else { return Redirect::to(LOGIN).into_response() };
    let changed = match path.strip_prefix("/operations/").and_then(|rest| rest.strip_suffix("/stop")) {
        Some(operation) => stop(console, operation, &user).await,
        None => order(console, &path, &form, &user).await,
    };
    match changed {
        Ok(response) => response,
        Err(error) => refuse(console, &path, &error).await,
    }
}

async fn stop(console: &Console, operation: &str, user: &str) -> Result<Response, Error> {
    let none = || Error::NotFound(format!("There is no operation {operation:?}."));
    let id = operation.parse().map_err(|_| none())?;
    let stopped = console.store.stop_operation(id, user, console.clock.now()).await?;
    let row = stopped.ok_or_else(none)?;
    Ok(Redirect::to(&format!("/operations/{}", row.id)).into_response())
}

async fn order(console: &Arc<Console>, path: &str, form: &str, user: &str) -> Result<Response, Error> {
    let Route::Order(kind) = route::Request::parse(path, None)?.route else {
        return Err(Error::NotFound(format!("Nothing can be ordered at {path}.")));
    };
    match order::place(console, kind, form, user).await? {
        Placed::Operation(id) => Ok(Redirect::to(&format!("/operations/{id}")).into_response()),
        Placed::AskAgain(address, why) => {
            let (path, query) = address.split_once('?').unwrap_or((&address, ""));
            let request = route::Request::parse(path, Some(query))?;
            let page = show(console, request, Some(user), &why).await?;
            Ok((StatusCode::CONFLICT, [(CONTENT_TYPE, HTML)], page.html).into_response())
        }
    }
}

async fn search(console: &Arc<Console>, mut request: route::Request) -> Response {
    let words = request.filters.take::<String>("q");
    let found = words.and_then(|words| {
        request.filters.finish()?;
        search::find(&words.unwrap_or_default())
    });
    match found {
        Ok(page) => Redirect::to(&page).into_response(),
        Err(error) => refuse(console, "/search", &error).await,
    }
}

/// News of the page that `page=` names.
async fn live_events(console: &Arc<Console>, uri: &Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let asked = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "page");
    let asked = asked.map(|(_, address)| address.into_owned()).unwrap_or_default();
    let (path, query) = asked.split_once('?').map_or((&*asked, None), |(path, query)| (path, Some(query)));
    let request = match route::Request::parse(path, query) {
        Ok(request) if request.route.is_live() => request,
        Ok(_) => return refuse(console, "/live", &Error::NotFound("This page has no news.".into())).await,
        Err(error) => return refuse(console, "/live", &error).await,
    };
    let shown_by = Arc::clone(console);
    let show = move |address: String| {
        let console = Arc::clone(&shown_by);
        async move { live_part(&console, &address).await }
    };
    if let Some(events) = live::events(&console.live, &request.address, show) {
        return Sse::new(events).into_response();
    }
    let words = "Too many different pages are open; close some.\n";
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}
