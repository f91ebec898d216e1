//! The token server: app tokens for the right client, and whether a token is still good.
//!
//! Its errors have another shape than the API's.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::json;

use super::call::Call;
use super::reply::Reply;
use super::{Endpoint, Query, Twitch};
use crate::lock::lock;

/// `POST /oauth2/token`, with a form or a query.
pub(crate) async fn token(
    State(twitch): State<Arc<Twitch>>,
    RawQuery(query): RawQuery,
    form: Bytes,
) -> Response {
    let query = if form.is_empty() { query.unwrap_or_default().into_bytes() } else { form.to_vec() };
    let call = Call::new(&twitch, Endpoint::Token, Query::read(&query));
    finish(&twitch, &call, || issue(&twitch, &call.query)).await
}

/// `GET /oauth2/validate`.
pub(crate) async fn validate(State(twitch): State<Arc<Twitch>>, headers: HeaderMap) -> Response {
    let call = Call::new(&twitch, Endpoint::Validate, Query::default());
    finish(&twitch, &call, || tell(&twitch, &headers)).await
}

async fn finish(twitch: &Twitch, call: &Call, answer: impl FnOnce() -> Reply) -> Response {
    call.delay(twitch).await;
    let reply = call.damage(call.instead().unwrap_or_else(answer));
    twitch.count_reply(call.endpoint, reply.counted());
    reply.into_response()
}

fn issue(twitch: &Twitch, form: &Query) -> Reply {
    let refuse = Reply::oauth_error;
    let Some(id) = form.one("client_id").filter(|id| !id.is_empty()) else {
        return refuse(400, "missing client id");
    };
    let Some(secret) = form.one("client_secret").filter(|secret| !secret.is_empty()) else {
        return refuse(400, "missing client secret");
    };
    match form.one("grant_type") {
        Some("client_credentials") => {}
        None | Some("") => return refuse(400, "missing grant type"),
        Some(_) => return refuse(400, "invalid grant type"),
    }
    if !twitch.is_client(id) {
        return refuse(400, "invalid client");
    }
    if twitch.settings.client_secret != secret {
        return refuse(403, "invalid client secret");
    }
    let lifetime = twitch.settings.token_lifetime;
    let token = lock(&twitch.tokens).issue(twitch.world.config().seed, lifetime);
    lock(&twitch.tally).token();
    let body = json!({ "access_token": token, "expires_in": lifetime.as_secs(), "token_type": "bearer" });
    Reply::json(body.to_string())
}

fn tell(twitch: &Twitch, headers: &HeaderMap) -> Reply {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(sent) = sent else { return Reply::oauth_error(401, "missing authorization token") };
    let token = sent.strip_prefix("OAuth ").or_else(|| sent.strip_prefix("Bearer ")).unwrap_or_default();
    match lock(&twitch.tokens).left(token) {
        None => Reply::oauth_error(401, "invalid access token"),
        Some(left) => {
            let body =
                json!({ "client_id": twitch.settings.client_id, "scopes": [], "expires_in": left.as_secs() });
            Reply::json(body.to_string())
        }
    }
}
