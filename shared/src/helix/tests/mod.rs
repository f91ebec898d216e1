//! The client over HTTP, against a server that answers what it is told to.

mod calls;
mod server;
mod token;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::DateTime;
use futures::{FutureExt, future::BoxFuture};

use self::server::{Answer, Server};
use super::{Client, Error, app::App};
use crate::{
    budget_store::{Bucket, BudgetStore},
    clock::Clock,
    failure::{Class, Failure},
    token_store::{Sealed, TokenStore},
};

const CLIENT_ID: &str = "the-client-id";
const CLIENT_SECRET: &str = "the-s3cret-of-ours";

/// A vault for the processes of one test.
#[derive(Default)]
struct MemoryVault {
    kept: tokio::sync::Mutex<HashMap<String, Sealed>>,
    loads: AtomicI64,
    bucket: Mutex<(Option<Bucket>, i64)>,
    /// What it answers instead of the bucket, when its database is away.
    away_bucket: Option<Failure>,
    /// What it answers instead, when its database is away.
    away: Option<Failure>,
}

impl TokenStore for MemoryVault {
    fn load<'a>(&'a self, client_id: &'a str) -> BoxFuture<'a, Result<Option<Sealed>, Failure>> {
        async move {
            self.loads.fetch_add(1, Ordering::Relaxed);
            match &self.away {
                Some(failure) => Err(failure.clone()),
                None => Ok(self.kept.lock().await.get(client_id).cloned()),
            }
        }
        .boxed()
    }

    fn renew<'a>(
        &'a self,
        client_id: &'a str,
        seen: i64,
        obtain: BoxFuture<'a, Result<Vec<u8>, Failure>>,
    ) -> BoxFuture<'a, Result<Sealed, Failure>> {
        async move {
            let mut kept = self.kept.lock().await;
            if let Some(newer) = kept.get(client_id).filter(|sealed| sealed.generation > seen) {
                return Ok(newer.clone());
            }
            let generation = kept.get(client_id).map_or(0, |sealed| sealed.generation) + 1;
            let sealed = Sealed { generation, bytes: obtain.await? };
            kept.insert(client_id.to_owned(), sealed.clone());
            Ok(sealed)
        }
        .boxed()
    }
}

impl BudgetStore for MemoryVault {
    fn bucket<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(Option<Bucket>, i64), Failure>> {
        async move { self.away_bucket.clone().map_or_else(|| Ok(self.bucket.lock().unwrap().clone()), Err) }
            .boxed()
    }

    fn keep_bucket<'a>(
        &'a self,
        _: &'a str,
        bucket: &'a Bucket,
        changes: i64,
    ) -> BoxFuture<'a, Result<bool, Failure>> {
        async move {
            let mut kept = self.bucket.lock().unwrap();
            let current = kept.1 == changes;
            if current {
                *kept = (Some(bucket.clone()), changes + 1);
            }
            Ok(current)
        }
        .boxed()
    }
}

/// One process with its client; others can be started beside it.
struct World {
    server: Server,
    token_store: Arc<MemoryVault>,
    clock: Clock,
    client: Client,
}

impl World {
    /// A world where Twitch gives these answers to calls of a path, in turn, and the last of them again and again.
    async fn with(answers: impl IntoIterator<Item = (&'static str, Vec<Answer>)>) -> Self {
        Self::start(answers, MemoryVault::default()).await
    }

    async fn start(
        answers: impl IntoIterator<Item = (&'static str, Vec<Answer>)>,
        token_store: MemoryVault,
    ) -> Self {
        let server = Server::start(answers).await;
        let clock = Clock::manual(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let token_store = Arc::new(token_store);
        let client = client(&server, &token_store, &clock, CLIENT_SECRET);
        Self { server, token_store, clock, client }
    }

    /// Another process of the same client id.
    fn another(&self, secret: &str) -> Client {
        client(&self.server, &self.token_store, &self.clock, secret)
    }
}

fn client(server: &Server, token_store: &Arc<MemoryVault>, clock: &Clock, secret: &str) -> Client {
    let app = App {
        client_id: CLIENT_ID.into(),
        client_secret: secret.into(),
        api_url: server.url("/prefix/helix/"),
        token_url: server.url("/prefix/oauth2/token"),
        ca_bundle: None,
        reserved_points: 0,
    };
    Client::of(app, Arc::clone(token_store), clock.clone()).unwrap()
}

/// The failure's class and code.
fn verdict<T>(outcome: Result<T, Error>) -> (Class, &'static str) {
    let failure = Failure::from(outcome.err().expect("a failure"));
    (failure.class, failure.code)
}
