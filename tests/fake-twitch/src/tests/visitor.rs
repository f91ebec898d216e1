//! Somebody who asks, without a network in between.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::Value;
use tower::ServiceExt;

use crate::api::{Twitch, router};
use crate::{Scenario, Settings, World, WorldConfig};

/// A client with a token.
pub(crate) struct Visitor {
    pub(crate) twitch: Arc<Twitch>,
    router: Router,
    pub(crate) token: String,
}

/// What came back.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Nothing when it broke off.
    pub(crate) body: Option<Bytes>,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        self.body.as_ref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default()
    }

    pub(crate) fn number(&self, header: &str) -> u64 {
        self.headers[header].to_str().unwrap().parse().unwrap()
    }

    /// The ids of the items that have one.
    pub(crate) fn ids(&self) -> Vec<String> {
        let data = self.json()["data"].as_array().cloned().unwrap_or_default();
        data.iter().filter_map(|item| Some(item["id"].as_str()?.to_owned())).collect()
    }

    /// Found as text: a page with a defective record may be no JSON a parser takes.
    pub(crate) fn cursor(&self) -> Option<String> {
        let text = String::from_utf8_lossy(self.body.as_ref()?).into_owned();
        Some(text.rsplit_once(r#""cursor":""#)?.1.split('"').next()?.to_owned())
    }
}

pub(crate) const FORM: &str =
    "client_id=fake-client-id&client_secret=fake-client-secret&grant_type=client_credentials";

impl Visitor {
    pub(crate) async fn with(config: WorldConfig, settings: Settings) -> Self {
        let twitch = Arc::new(Twitch::new(World::generate(config), settings));
        let mut visitor = Self { router: router(Arc::clone(&twitch)), twitch, token: String::new() };
        visitor.renew().await;
        visitor
    }

    pub(crate) async fn to(config: WorldConfig) -> Self {
        Self::with(config, Settings::default()).await
    }

    /// A plain world with one scenario.
    pub(crate) async fn during(scenario: &str, streams: usize) -> Self {
        let visitor = Self::to(WorldConfig::plain(streams)).await;
        visitor.world().play(&scenario.parse::<Scenario>().unwrap());
        visitor
    }

    pub(crate) fn world(&self) -> &World {
        &self.twitch.world
    }

    pub(crate) async fn renew(&mut self) {
        let got = self.post("/oauth2/token", FORM).await;
        self.token = got.json()["access_token"].as_str().unwrap_or_default().to_owned();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        Got {
            status: head.status.as_u16(),
            headers: head.headers,
            body: to_bytes(body, usize::MAX).await.ok(),
        }
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Got {
        self.send(Request::post(path).body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Asks the API as it should be asked.
    pub(crate) async fn get(&self, path: &str) -> Got {
        let request = Request::get(format!("/helix/{path}"))
            .header("client-id", "fake-client-id")
            .header("authorization", format!("Bearer {}", self.token));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Pages of `/streams` with this query, from the first on, until they end or there are too many.
    pub(crate) async fn pages(&self, query: &str, most: usize) -> Vec<Got> {
        let mut pages = Vec::new();
        let mut after = None;
        while pages.len() < most {
            let cursor = after.map(|cursor| format!("&after={cursor}")).unwrap_or_default();
            let page = self.get(&format!("streams?{query}{cursor}")).await;
            after = page.cursor();
            pages.push(page);
            if after.is_none() {
                break;
            }
        }
        pages
    }

    pub(crate) fn truth(&self) -> HashSet<String> {
        self.world().streams().iter().map(|stream| stream.id.clone()).collect()
    }
}

/// Ids over several pages.
pub(crate) fn all_ids(pages: &[Got]) -> Vec<String> {
    pages.iter().flat_map(Got::ids).collect()
}

pub(crate) fn distinct(ids: &[String]) -> HashSet<String> {
    ids.iter().cloned().collect()
}
