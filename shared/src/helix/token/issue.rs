//! `POST /oauth2/token`: a new app token for id and secret. Knows no store.
//!
//! Limits are not documented. A 4xx here means that the settings are wrong, and is told in their words.
//!
//! Source: <https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/#client-credentials-grant-flow>

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::super::{Error, app::App, header::sensitive, reply};
use crate::{
    clock::Clock,
    failure::{Class, Failure},
};

/// The endpoint's name in errors.
const ENDPOINT: &str = "oauth2/token";
/// A token is renewed this long before it expires, or at half its life if that is later.
const RENEW_AHEAD: TimeDelta = TimeDelta::minutes(10);
/// A token said to live shorter than this would be renewed all the time: it is used until Twitch refuses it.
const SHORTEST_LIFE: TimeDelta = TimeDelta::minutes(1);
/// How long a token is used when nobody says how long it lives, unless Twitch refuses it before.
const UNTOLD_LIFE: TimeDelta = TimeDelta::days(3_650);
/// Longest time for a request. Meanwhile the token store keeps all processes waiting.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Wait after a 429.
const REFUSED_WAIT: Duration = Duration::from_secs(30);

/// A token as it is sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) access_token: String,
    pub(super) renew_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

impl Grant {
    /// The grant as JSON, to be sealed.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a grant is a JSON object")
    }

    /// The grant that was sealed.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Who asks for tokens.
pub(super) struct Issuer {
    client: reqwest::Client,
    url: Url,
    client_id: SecretString,
    client_secret: SecretString,
}

impl Issuer {
    pub(super) fn new(client: reqwest::Client, app: App) -> Self {
        Self { client, url: app.token_url, client_id: app.client_id, client_secret: app.client_secret }
    }

    /// A new token; asks once more, at once, when the trouble is of the fleeting kind.
    ///
    /// # Errors
    /// Without a token nothing works, so whatever the endpoint answers is an outage, a refusal of our credentials, or a
    /// wait; nothing of it is charged to a message.
    pub(super) async fn issue(&self, clock: &Clock) -> Result<Grant, Failure> {
        let mut answer = self.ask(clock).await;
        if answer.as_ref().is_err_and(Error::is_fleeting) {
            answer = self.ask(clock).await;
        }
        answer.map_err(|error| match error {
            Error::Token(failure) => failure,
            error => Failure::of(Class::Outage, "helix.token_unavailable", &error),
        })
    }

    async fn ask(&self, clock: &Clock) -> Result<Grant, Error> {
        let form = [
            ("client_id", self.client_id.expose_secret()),
            ("client_secret", self.client_secret.expose_secret()),
            ("grant_type", "client_credentials"),
        ];
        let sent = self.client.post(self.url.clone()).timeout(TIMEOUT).form(&form).send().await;
        let response = sent.map_err(|error| Error::unreachable(ENDPOINT, error))?;
        match response.status() {
            status if status.is_success() => decode(&reply::body(ENDPOINT, response).await?, clock.now()),
            status if status.is_client_error() => Err(self.refused(status, response).await.into()),
            _ => Err(reply::error(ENDPOINT, response, &self.client_secret).await),
        }
    }

    async fn refused(&self, status: StatusCode, response: Response) -> Failure {
        let message = reply::message(response, &self.client_secret).await;
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) {
            let words = format!("Twitch gives no token at the moment: it answered {status}: {message}");
            return Failure::new(Class::RateLimited, "helix.token_rate_limited", words).after(REFUSED_WAIT);
        }
        let words = format!("{}: it answered {}: {message}", advice(status, &message), status.as_u16());
        Failure::new(Class::Auth, "helix.token_refused", words)
    }
}

/// Which setting to look at. Twitch's texts may change, so the last word is for whatever it may say one day.
fn advice(status: StatusCode, message: &str) -> &'static str {
    let message = message.to_lowercase();
    if message.contains("secret") {
        "Twitch refuses the client secret: check TWITCH_CLIENT_SECRET"
    } else if message.contains("client") {
        "Twitch does not know the client id: check TWITCH_CLIENT_ID"
    } else if status == StatusCode::NOT_FOUND {
        "there is no token endpoint at this address: check TWITCH_TOKEN_URL"
    } else {
        "Twitch gives us no token: check TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET"
    }
}

fn decode(body: &[u8], now: DateTime<Utc>) -> Result<Grant, Error> {
    #[derive(Deserialize)]
    struct Reply<'a> {
        access_token: String,
        #[serde(borrow)]
        expires_in: Option<&'a RawValue>,
    }
    // The parser's own words may show a part of what it read, and here that may be the token.
    let unreadable = |what: String| Error::malformed(ENDPOINT, what);
    let reply: Reply<'_> = serde_json::from_slice(body).map_err(|error| {
        unreadable(format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column()))
    })?;
    if reply.access_token.is_empty() || sensitive(&reply.access_token).is_none() {
        return Err(unreadable("the token is empty, or holds a character that no token has".into()));
    }
    let life = reply.expires_in.and_then(life).unwrap_or(UNTOLD_LIFE);
    let expires_at = now + life;
    Ok(Grant {
        access_token: reply.access_token,
        renew_at: expires_at - RENEW_AHEAD.min(life / 2),
        expires_at,
    })
}

/// How long a token lives, where that can be believed. Some clients' tokens do not expire, which Twitch writes as 0 or not
/// at all (github.com/TwitchLib/TwitchLib.Api/issues/45).
fn life(expires_in: &RawValue) -> Option<TimeDelta> {
    let seconds: f64 = expires_in.get().trim_matches('"').parse().ok()?;
    let believable = SHORTEST_LIFE.num_seconds()..=UNTOLD_LIFE.num_seconds();
    #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest number there is")]
    let seconds = seconds as i64;
    believable.contains(&seconds).then(|| TimeDelta::seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_reply_is_read() {
        let now = DateTime::UNIX_EPOCH;
        let grant = decode(include_bytes!("../recorded/token.json"), now).unwrap();
        assert_eq!(grant.access_token, "jostpf5q0uzmxmkba9iyug38kjtgh");
        assert_eq!((grant.expires_at - now).num_seconds(), 5_011_271);
        assert_eq!((grant.expires_at - grant.renew_at), RENEW_AHEAD);
        let short = decode(br#"{"access_token":"t","expires_in":60}"#, now).unwrap();
        assert_eq!((short.renew_at - now).num_seconds(), 30, "a short life is used for half of it at least");
        let copy = Grant::of_bytes(&grant.to_bytes()).unwrap();
        assert_eq!((copy.access_token, copy.renew_at), (grant.access_token, grant.renew_at));
    }

    #[test]
    fn a_life_that_cannot_be_believed_is_a_long_one() {
        let decoded = |expires_in: &str| {
            decode(format!(r#"{{"access_token":"t"{expires_in}}}"#).as_bytes(), DateTime::UNIX_EPOCH).unwrap()
        };
        for odd in
            ["", "null", "0", "1", "-5", "true", "{}", "1e400", "4294967296", r#""soon""#, r#""\ud800""#]
        {
            let field = if odd.is_empty() { String::new() } else { format!(r#","expires_in":{odd}"#) };
            assert_eq!(decoded(&field).expires_at, DateTime::UNIX_EPOCH + UNTOLD_LIFE, "{odd}");
        }
        for readable in ["5000000", r#""5000000""#, "5000000.0", "5e6"] {
            let life = decoded(&format!(r#","expires_in":{readable}"#)).expires_at - DateTime::UNIX_EPOCH;
            assert_eq!(life.num_seconds(), 5_000_000, "{readable}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_shown() {
        for body in [
            r#"{"access_token":["s3cret"]}"#,
            r#"{"expires_in":"s3cret"}"#,
            r#"{"access_token":"s3cret\n","expires_in":1}"#,
            r#"{"access_token":"","expires_in":1}"#,
            "<html>s3cret",
        ] {
            let failure = Failure::from(decode(body.as_bytes(), DateTime::UNIX_EPOCH).err().unwrap());
            assert_eq!(failure.code, "helix.malformed");
            assert!(!format!("{failure} {failure:?}").contains("s3cret"), "{failure}");
        }
    }

    #[test]
    fn a_refusal_names_the_setting() {
        for (status, message, setting) in [
            (400, "invalid client", "TWITCH_CLIENT_ID"),
            (400, "missing client id", "TWITCH_CLIENT_ID"),
            (403, "invalid client secret", "TWITCH_CLIENT_SECRET"),
            (404, "404 page not found", "TWITCH_TOKEN_URL"),
            (403, "(no message)", "TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET"),
        ] {
            let advice = advice(StatusCode::from_u16(status).unwrap(), message);
            assert!(advice.ends_with(setting), "{advice}");
        }
    }
}
