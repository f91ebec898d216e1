//! The three calls, and the token for them. Any answer but 200 ends the program.

use std::{collections::HashSet, sync::Arc, time::Duration};

use reqwest::{Client, RequestBuilder};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{Outcome, catalogue::Item, model::Stream};

/// The most items of a page and ids of a call: <https://dev.twitch.tv/docs/api/reference#get-streams>.
pub(crate) const MOST_IDS: usize = 100;

/// Where Twitch is, and who asks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Settings {
    #[arg(long, env = "TWITCH_API_URL")]
    api_url: String,
    #[arg(long, env = "TWITCH_TOKEN_URL")]
    token_url: String,
    #[arg(long, env = "TWITCH_CLIENT_ID")]
    client_id: String,
    #[arg(long, env = "TWITCH_CLIENT_SECRET", hide_env_values = true)]
    client_secret: String,
}

/// A client with a token, once it has logged in.
#[derive(Debug)]
pub(crate) struct Twitch {
    client: Client,
    settings: Settings,
    token: Option<String>,
}

/// A stream, and the number of the page it came on, from 1.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) stream: Stream,
    pub(crate) page: i32,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: Vec<T>,
    #[serde(default)]
    pagination: Pagination,
}

#[derive(Deserialize, Default)]
struct Pagination {
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

impl Twitch {
    pub(crate) fn new(settings: Settings) -> Outcome<Self> {
        // Nobody is trusted, because nothing here is encrypted: reading the system's authorities would only cost memory.
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let client =
            Client::builder().tls_backend_preconfigured(tls).timeout(Duration::from_secs(10)).build()?;
        Ok(Self { client, settings, token: None })
    }

    /// Asks for a token, unless it has one.
    pub(crate) async fn log_in(&mut self) -> Outcome<()> {
        if self.token.is_none() {
            let form = [
                ("client_id", self.settings.client_id.as_str()),
                ("client_secret", &self.settings.client_secret),
                ("grant_type", "client_credentials"),
            ];
            let token: Token = read(self.client.post(&self.settings.token_url).form(&form)).await?;
            self.token = Some(token.access_token);
        }
        Ok(())
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client
            .get(format!("{}{path}", self.settings.api_url))
            .header("Client-Id", &self.settings.client_id)
            .bearer_auth(self.token.as_deref().unwrap_or_default())
    }

    /// Everything live with enough viewers, each stream once: to the end of the list, or to the first page whose last
    /// stream has too few.
    pub(crate) async fn streams(&self, min_viewers: i32, whole_list: bool) -> Outcome<Vec<Found>> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut after: Option<String> = None;
        for page in 1.. {
            let mut query = vec![("first", MOST_IDS.to_string())];
            query.extend(after.map(|cursor| ("after", cursor)));
            let answer: Answer<Stream> = read(self.get("streams").query(&query)).await?;
            let enough = answer.data.last().is_none_or(|last| last.viewer_count < min_viewers);
            for stream in answer.data {
                if stream.is_sound(min_viewers) && seen.insert(stream.id.clone()) {
                    found.push(Found { stream, page });
                }
            }
            after = answer.pagination.cursor;
            if after.is_none() || (enough && !whole_list) {
                break;
            }
        }
        Ok(found)
    }

    /// What Twitch has for these ids, at most [`MOST_IDS`] of them.
    pub(crate) async fn items<T: Item>(&self, ids: &[&str]) -> Outcome<Vec<T>> {
        let ids: Vec<(&str, &str)> = ids.iter().map(|id| ("id", *id)).collect();
        let answer: Answer<T> = read(self.get(T::PATH).query(&ids)).await?;
        Ok(answer.data)
    }
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Outcome<T> {
    let body = request.send().await?.error_for_status()?.bytes().await?;
    Ok(serde_json::from_slice(&body)?)
}
