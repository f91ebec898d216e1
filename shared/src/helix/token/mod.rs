//! The app token: one for all calls and all processes, renewed by one of them at a time.
//!
//! It is kept in memory, and sealed in the token store. Who needs a new one looks into the token store first, then asks Twitch while
//! the token store keeps other processes from asking too. Knows nothing of Helix.
//!
//! Source: <https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/#client-credentials-grant-flow>

mod allowance;
mod issue;
mod seal;

use std::sync::{
    Arc, Mutex as StdMutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tracing::{info, warn};

use self::{
    allowance::Allowance,
    issue::{Grant, Issuer},
    seal::Seal,
};
use super::{app::App, header::sensitive};
use crate::{
    clock::Clock,
    failure::{Class, Failure},
    token_store::{Sealed, TokenStore},
};

/// How long Twitch's refusal is believed without asking again.
const REFUSAL_HOLDS: TimeDelta = TimeDelta::seconds(60);
/// How long a token that cannot be renewed ahead of time is used before the next try.
const NEXT_RENEWAL: TimeDelta = TimeDelta::seconds(60);

/// A token. Shows itself to nobody.
#[derive(Debug, Clone)]
pub(super) struct Token {
    secret: SecretString,
    generation: i64,
    renew_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl Token {
    /// The value of an `Authorization` header.
    pub(super) fn header(&self, scheme: &str) -> HeaderValue {
        // A token that does not fit a header is never kept; if it were, the empty one's 401 would replace it.
        sensitive(&format!("{scheme} {}", self.secret.expose_secret()))
            .unwrap_or(HeaderValue::from_static(""))
    }

    pub(super) fn secret(&self) -> &SecretString {
        &self.secret
    }
}

/// Where tokens come from.
pub(super) struct Tokens {
    issuer: Issuer,
    seal: Seal,
    client_id: SecretString,
    token_store: Arc<dyn TokenStore>,
    clock: Clock,
    /// How many renewals have failed. Who waited for one of them shares its failure.
    failures: AtomicU64,
    allowance: StdMutex<Allowance>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    /// The generation that Twitch no longer honours.
    discarded: i64,
    /// The last renewal's failure, and when it was.
    failed: Option<(Failure, DateTime<Utc>)>,
}

impl Tokens {
    pub(super) fn new(
        client: reqwest::Client,
        app: App,
        token_store: Arc<dyn TokenStore>,
        clock: Clock,
    ) -> Self {
        Self {
            seal: Seal::new(&app.client_id, &app.client_secret),
            client_id: app.client_id.clone(),
            issuer: Issuer::new(client, app),
            token_store,
            clock,
            failures: AtomicU64::new(0),
            allowance: StdMutex::default(),
            state: Mutex::default(),
        }
    }

    /// A token that is good as far as we know. Whoever comes while it is being renewed waits for that one renewal.
    ///
    /// # Errors
    /// Why there is none. Without a token nothing works, so that is never charged to a message.
    pub(super) async fn current(&self) -> Result<Arc<Token>, Failure> {
        let failures = self.failures.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some(token) = state.token.as_ref().filter(|token| now < token.renew_at) {
            return Ok(Arc::clone(token));
        }
        let waited_for_it = self.failures.load(Ordering::Acquire) != failures;
        if let Some((failure, at)) = &state.failed
            && (waited_for_it || failure.class == Class::Auth && (now - *at).abs() < REFUSAL_HOLDS)
        {
            return Err(failure.clone());
        }
        match self.renewed(&mut state, now).await {
            Ok(token) => {
                state.failed = None;
                Ok(Arc::clone(state.token.insert(Arc::new(token))))
            }
            Err(failure) => {
                let class = if failure.class.is_charged() { Class::Outage } else { failure.class };
                self.instead(&mut state, Failure { class, ..failure }, now)
            }
        }
    }

    /// Never hands out this token again: Twitch does not honour it. False where it stays in use all the same, because
    /// Twitch gave us too many of late to ask for another.
    pub(super) async fn discard(&self, token: &Token) -> bool {
        let mut state = self.state.lock().await;
        if state.token.as_ref().is_some_and(|current| current.generation == token.generation) {
            if !self.allowance().is_left(self.clock.now()) {
                return false;
            }
            state.token = None;
            state.discarded = token.generation;
        }
        true
    }

    fn allowance(&self) -> MutexGuard<'_, Allowance> {
        self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token store's token, if another process has put a good one there; else a new one.
    async fn renewed(&self, state: &mut State, now: DateTime<Utc>) -> Result<Token, Failure> {
        let client_id = self.client_id.expose_secret();
        let mut seen = state.discarded;
        if let Some(sealed) = self.token_store.load(client_id).await?
            && sealed.generation > state.discarded
        {
            seen = sealed.generation;
            match self.open(&sealed) {
                Some(token) if now < token.renew_at => return Ok(token),
                Some(token) => state.token = Some(Arc::new(token)),
                None => {}
            }
        }
        // A second time only if another process, with another secret, was quicker.
        for _ in 0..2 {
            let sealed = self.token_store.renew(client_id, seen, Box::pin(self.obtain())).await?;
            if let Some(token) = self.open(&sealed) {
                info!(token.generation = token.generation, "the app token is renewed");
                return Ok(token);
            }
            seen = sealed.generation;
        }
        let message = "another process renews the same client's token with another TWITCH_CLIENT_SECRET";
        Err(Failure::new(Class::Auth, "helix.token_contended", message))
    }

    /// What to do without a new token: the old one may be good for some minutes yet.
    fn instead(
        &self,
        state: &mut State,
        failure: Failure,
        now: DateTime<Utc>,
    ) -> Result<Arc<Token>, Failure> {
        self.failures.fetch_add(1, Ordering::Release);
        if let Some(old) = state.token.take_if(|token| now < token.expires_at) {
            warn!(token.generation = old.generation, %failure, "the app token cannot be renewed ahead of time");
            let token =
                Arc::new(Token { renew_at: (now + NEXT_RENEWAL).min(old.expires_at), ..(*old).clone() });
            return Ok(Arc::clone(state.token.insert(token)));
        }
        state.failed = Some((failure.clone(), now));
        Err(failure)
    }

    async fn obtain(&self) -> Result<Vec<u8>, Failure> {
        let grant = self.issuer.issue(&self.clock).await?;
        self.allowance().spend(self.clock.now());
        self.seal.close(&grant.to_bytes())
    }

    /// The token in the token store. One that our secret does not open is none.
    fn open(&self, sealed: &Sealed) -> Option<Token> {
        let Grant { access_token, renew_at, expires_at } = Grant::of_bytes(&self.seal.open(&sealed.bytes)?)?;
        Some(Token { secret: access_token.into(), generation: sealed.generation, renew_at, expires_at })
    }
}
