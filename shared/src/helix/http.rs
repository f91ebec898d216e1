//! The one `get` under all endpoints: token, budget, status, repetition, body. Knows no endpoint.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Response, StatusCode, header::HeaderValue, redirect};
use secrecy::ExposeSecret;
use tracing::{Instrument, Span, debug, field::Empty, info_span};
use url::Url;

use super::{
    BudgetView, Error,
    app::App,
    budget::{Budget, Priority, Reading},
    endpoint_url::{child, sibling},
    header::sensitive,
    health::{Health, Probes},
    reply,
    token::{Token, Tokens},
};
use crate::{
    budget_store::BudgetStore, clock::Clock, config::ConfigError, metrics, tls, token_store::TokenStore,
    version::VERSION,
};

/// Longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for a whole call.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections, token and budget.
pub(super) struct Http {
    pub(super) client: reqwest::Client,
    pub(super) validate_url: Url,
    api_url: Url,
    client_id: HeaderValue,
    tokens: Tokens,
    pub(super) health: Health,
    pub(super) probes: Probes,
    budget: Arc<Budget>,
    calls: AtomicU64,
    clock: Clock,
}

impl Http {
    pub(super) fn new<S>(app: App, store: Arc<S>, clock: Clock) -> Result<Self, ConfigError>
    where
        S: TokenStore + BudgetStore + 'static,
    {
        let client = client(app.ca_bundle.as_deref())?;
        let client_id = sensitive(app.client_id.expose_secret()).ok_or_else(|| ConfigError::Unusable {
            name: "TWITCH_CLIENT_ID".into(),
            why: "it holds a character that no client id has".into(),
        })?;
        let id = app.client_id.expose_secret().to_owned();
        Ok(Self {
            client: client.clone(),
            validate_url: sibling(&app.token_url, "validate"),
            api_url: app.api_url.clone(),
            client_id,
            health: Health::default(),
            probes: Probes::default(),
            budget: Budget::new(Arc::clone(&store) as _, id, app.reserved_points, clock.clone()),
            calls: AtomicU64::new(0),
            tokens: Tokens::new(client, app, store, clock.clone()),
            clock,
        })
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What `read` makes of the body of a successful answer. A call that has no answer of use is followed by a probe: where
    /// that fails too it is an outage, and no message's fault.
    pub(super) async fn get<T>(
        &self,
        endpoint: &'static str,
        priority: Priority,
        query: &[(&str, &str)],
        read: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.get_unjudged(endpoint, priority, query, read).await {
            Err(error) if error.is_trouble() && self.probe_together().await.is_err() => {
                Err(self.outage(error))
            }
            answer => answer,
        }
    }

    pub(super) fn outage(&self, latest: Error) -> Error {
        self.health.outage(latest, self.clock.now())
    }

    /// The same without a probe.
    pub(super) async fn get_unjudged<T>(
        &self,
        endpoint: &'static str,
        priority: Priority,
        query: &[(&str, &str)],
        read: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let answer = self.insist(|token| self.get_once(endpoint, priority, query, token)).await;
        self.health.note(answer.and_then(|body| read(&body)), self.clock.now())
    }

    /// Makes a call with a token; a second time with a new token when Twitch refuses the first and there is a new one to be
    /// had, and a second time at once when the trouble is of the fleeting kind.
    pub(super) async fn insist<T, F>(&self, call: impl Fn(Arc<Token>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let (mut renewed, mut repeated) = (false, false);
        loop {
            let token = self.tokens.current().await?;
            match call(Arc::clone(&token)).await {
                Err(Error::Unauthorized { .. }) if !renewed && self.tokens.discard(&token).await => {
                    renewed = true;
                }
                Err(error) if error.is_fleeting() && !repeated => repeated = true,
                outcome => return outcome,
            }
        }
    }

    async fn get_once(
        &self,
        endpoint: &'static str,
        priority: Priority,
        query: &[(&str, &str)],
        token: Arc<Token>,
    ) -> Result<Vec<u8>, Error> {
        self.budget.admit(priority).await?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (started, began) = (self.clock.now(), Instant::now());
        let span = self.span(endpoint);
        let sent = self
            .client
            .get(child(&self.api_url, endpoint))
            .header("client-id", self.client_id.clone())
            .header("authorization", token.header("Bearer"))
            .query(query)
            .send()
            .instrument(span.clone())
            .await;
        let millis = (self.clock.now() - started).num_milliseconds();
        metrics::called(endpoint, began.elapsed(), sent.as_ref().ok().map(|answer| answer.status().as_u16()));
        match sent {
            Ok(response) => self.judge(endpoint, response, &token, millis).instrument(span).await,
            Err(error) => {
                span.record("error.type", "unreachable").record("otel.status_code", "ERROR");
                debug!(helix.endpoint = endpoint, helix.millis = millis, "no answer from /{endpoint}");
                Err(Error::unreachable(endpoint, error))
            }
        }
    }

    /// Learns from an answer's headers, and takes its body or its error.
    async fn judge(
        &self,
        endpoint: &'static str,
        response: Response,
        token: &Token,
        millis: i64,
    ) -> Result<Vec<u8>, Error> {
        let (status, reading) = (response.status(), Reading::of(response.headers()));
        self.budget.learn(reading);
        let BudgetView { remaining, .. } = self.budget.view();
        metrics::points(remaining.into());
        let span = Span::current();
        span.record("http.response.status_code", status.as_u16());
        if !status.is_success() {
            span.record("error.type", status.as_str()).record("otel.status_code", "ERROR");
        }
        debug!(
            helix.endpoint = endpoint,
            helix.status = status.as_u16(),
            helix.millis = millis,
            helix.remaining = remaining,
            "/{endpoint} answered {} in {millis} ms",
            status.as_u16(),
        );
        if status.is_success() {
            reply::body(endpoint, response).await
        } else if status == StatusCode::TOO_MANY_REQUESTS {
            Err(Error::RateLimited { retry_after: self.budget.refused(&reading).await })
        } else {
            Err(reply::error(endpoint, response, token.secret()).await)
        }
    }

    /// The span of a call: what was asked for, without the ids.
    fn span(&self, endpoint: &'static str) -> Span {
        info_span!(
            "call",
            otel.name = format!("GET /{endpoint}"),
            otel.kind = "client",
            otel.status_code = Empty,
            error.type = Empty,
            http.request.method = "GET",
            http.response.status_code = Empty,
            server.address = self.api_url.host_str(),
            url.template = format!("/{endpoint}"),
        )
    }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("host", &self.api_url.host_str()).finish_non_exhaustive()
    }
}

/// The one HTTP client. It follows no redirect: a token goes where it was meant to go.
fn client(ca_bundle: Option<&Path>) -> Result<reqwest::Client, ConfigError> {
    let unusable = |why| {
        let name = if ca_bundle.is_some() { "TWITCH_CA_BUNDLE" } else { "TWITCH_API_URL" };
        ConfigError::Unusable { name: name.into(), why }
    };
    let tls = tls::client(ca_bundle)
        .map_err(|why| unusable(format!("there can be no secure connection: {why}")))?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(format!("twitch-pull/{VERSION}"))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .redirect(redirect::Policy::none())
        .gzip(true)
        .build()
        .map_err(|error| unusable(error.to_string()))
}
