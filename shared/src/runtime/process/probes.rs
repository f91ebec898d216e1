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
use tokio::{net::TcpListener, time::timeout};

use super::{
    super::{Troubles, Worker, status::Status},
    prometheus,
};

/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4";
/// How long what a worker depends on may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers probes until the process ends.
pub(in crate::runtime) async fn serve<W: Worker>(
    listen: SocketAddr,
    worker: Arc<W>,
    status: Status,
    duties: Troubles,
) -> std::io::Result<SocketAddr> {
    let ready = move || {
        let (worker, status, duties) = (Arc::clone(&worker), status.clone(), duties.clone());
        async move {
            let ready = readiness(&*worker, &status).await;
            ready.and_then(|()| duties.describe().map_or(Ok(()), Err))
        }
    };
    serve_ready(listen, ready).await
}

/// Answers probes until the process ends; `ready` says why it is not, if so.
pub(in crate::runtime) async fn serve_ready<F, R>(listen: SocketAddr, ready: F) -> std::io::Result<SocketAddr>
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
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the probes are not answered any more");
        }
    });
    Ok(address)
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
