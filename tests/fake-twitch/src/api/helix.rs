//! The way of every call to the API: counted, let in, paid for, answered, and damaged if a fault says so.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;

use super::call::Call;
use super::reply::{Fate, Reply};
use super::{Endpoint, Query, Twitch, games, games_top, streams, users};
use crate::fault::Effect;
use crate::lock::lock;

/// Any request that is not for the token server or for the world itself.
pub(crate) async fn helix(State(twitch): State<Arc<Twitch>>, request: Request) -> Response {
    let uri = request.uri();
    let base = twitch.settings.base();
    let Some(path) = uri.path().strip_prefix(&base).filter(|path| !path.starts_with('/')) else {
        return Reply::lost().into_response();
    };
    let Some(endpoint) = Endpoint::at(path).filter(|_| request.method() == Method::GET) else {
        return Reply::error(404, "").into_response();
    };
    let call = Call::new(&twitch, endpoint, Query::read(uri.query().unwrap_or_default().as_bytes()));
    call.delay(&twitch).await;
    let reply = reply(&twitch, &call, request.headers()).unwrap_or_else(|refused| refused);
    let reply = call.damage(reply);
    twitch.count_reply(endpoint, reply.counted());
    let mut response = reply.into_response();
    twitch.ratelimit(response.headers_mut());
    response
}

fn reply(twitch: &Twitch, call: &Call, headers: &HeaderMap) -> Result<Reply, Reply> {
    if call.has(&Effect::ExpireTokens) {
        lock(&twitch.tokens).expire();
    }
    if call.has(&Effect::DrainBucket) {
        lock(&twitch.bucket).drain();
    }
    let_in(twitch, headers)?;
    if !twitch.take_point() {
        return Err(Reply::error(429, "Too Many Requests"));
    }
    if let Some(instead) = call.instead() {
        return Err(instead);
    }
    let world = &twitch.world;
    let mut answer = match call.endpoint {
        Endpoint::Streams => streams::answer(world, call)?,
        Endpoint::Games => games::answer(world, call)?,
        Endpoint::GamesTop => games_top::answer(world, call)?,
        Endpoint::Users => users::answer(world, call)?,
        Endpoint::Token | Endpoint::Validate => return Err(Reply::lost()),
    };
    if call.has(&Effect::NullData) {
        answer.nullify();
    }
    Ok(answer.into_reply())
}

/// Both headers must be there and belong together.
fn let_in(twitch: &Twitch, headers: &HeaderMap) -> Result<(), Reply> {
    let sent = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let Some(client) = sent(header::HeaderName::from_static("client-id")) else {
        return Err(Reply::error(401, "Client ID is missing"));
    };
    let Some(authorization) = sent(header::AUTHORIZATION) else {
        return Err(Reply::error(401, "OAuth token is missing"));
    };
    let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
    if lock(&twitch.tokens).left(token).is_none() {
        return Err(Reply::error(401, "Invalid OAuth token"));
    }
    if !twitch.is_client(client) {
        return Err(Reply::error(401, "Client ID and OAuth token do not match"));
    }
    Ok(())
}

impl Reply {
    /// The status as the statistics count it: 0 when nothing arrives.
    pub(crate) fn counted(&self) -> u16 {
        if self.fate == Fate::Nothing { 0 } else { self.status.as_u16() }
    }
}
