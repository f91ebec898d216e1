//! `/livez` and `/readyz`: is the event loop alive, and could this worker work right now? And `/metrics`.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    super::{Troubles, Worker, status::Status},
    duties::{Turn, lasting, perform},
    prometheus,
};
use crate::{clock::Clock, failure::Failure};

/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4";
/// How often it is noted that probes are answered.
const WORKS_EVERY: Duration = Duration::from_secs(10);
/// How long what a worker depends on may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Where probes are answered. Ends when dropped, and lets go of the worker.
#[derive(Debug)]
pub(in crate::runtime) struct Probes {
    pub(in crate::runtime) address: SocketAddr,
    _answering: AbortOnDropHandle<()>,
}

/// Answers probes about a worker.
pub(in crate::runtime) async fn serve<W: Worker>(
    listen: SocketAddr,
    worker: Arc<W>,
    status: Status,
    troubles: Troubles,
) -> std::io::Result<Probes> {
    let duties = troubles.clone();
    let ready = move || {
        let (worker, status, duties) = (Arc::clone(&worker), status.clone(), duties.clone());
        async move {
            let ready = readiness(&*worker, &status).await;
            ready.and_then(|()| duties.describe().map_or(Ok(()), Err))
        }
    };
    serve_ready(listen, troubles, ready).await
}

/// Answers probes; `ready` says why it is not, if so.
pub(in crate::runtime) async fn serve_ready<F, R>(
    listen: SocketAddr,
    troubles: Troubles,
    ready: F,
) -> std::io::Result<Probes>
where
    F: Fn() -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<(), String>> + Send + 'static,
{
    let ready = move || {
        let ready = ready();
        async move {
            match ready.await {
                Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
                Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            }
        }
    };
    let routes = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|| async { ([(CONTENT_TYPE, PROMETHEUS_TEXT)], prometheus::render()) }));
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let mut listener = Some(listener);
    let answer = lasting("probes", move |turn| answer(address, listener.take(), routes.clone(), turn));
    // Also while the program comes to its end.
    let always = CancellationToken::new();
    let answering = tokio::spawn(perform(vec![answer], troubles, Clock::System, always));
    Ok(Probes { address, _answering: AbortOnDropHandle::new(answering) })
}

/// Answers; with a listener of its own when it has ended before.
async fn answer(
    address: SocketAddr,
    listener: Option<TcpListener>,
    routes: Router,
    turn: Turn,
) -> Result<(), Failure> {
    let ended = |error: std::io::Error| Failure::transient("http.ended", error.to_string());
    let listener = match listener {
        Some(listener) => listener,
        None => TcpListener::bind(address).await.map_err(ended)?,
    };
    let served = axum::serve(listener, routes).into_future();
    tokio::select! {
        served = served => served.map_err(ended),
        () = async { loop { turn.works(); sleep(WORKS_EVERY).await; } } => Ok(()),
    }
}

/// Whether the worker could work right now.
pub(in crate::runtime) async fn readiness<W: Worker>(worker: &W, status: &Status) -> Result<(), String> {
    if let Some(trouble) = status.trouble() {
        return Err(trouble);
    }
    match timeout(PROBE_TIMEOUT, worker.ready()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err(failure.to_string()),
        Err(_) => Err("what it depends on does not answer".to_owned()),
    }
}

/// Asks the worker at `address` whether it is ready; an address of all interfaces is asked on loopback.
pub(in crate::runtime) fn ask(address: SocketAddr) -> Result<(), String> {
    let ip = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv6() => Ipv6Addr::LOCALHOST.into(),
        ip if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, address.port());
    let trouble = |error: std::io::Error| format!("{address} does not answer: {error}");
    let mut stream = TcpStream::connect_timeout(&address, PROBE_TIMEOUT).map_err(trouble)?;
    stream.set_read_timeout(Some(2 * PROBE_TIMEOUT)).map_err(trouble)?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(trouble)?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).map_err(trouble)?;
    if answer.starts_with("HTTP/1.1 200") {
        return Ok(());
    }
    Err(answer.rsplit("\r\n\r\n").next().unwrap_or_default().trim().to_owned())
}
