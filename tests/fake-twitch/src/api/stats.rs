//! What was asked and answered, counted.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::Endpoint;

/// What was asked and answered since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// By endpoint; those never called are absent.
    pub endpoints: BTreeMap<Endpoint, EndpointStats>,
    /// Tokens issued.
    pub tokens_issued: u64,
    /// Points taken from the bucket.
    pub points: u64,
    /// Calls refused because the bucket was empty: true 429s.
    pub bucket_empty: u64,
    /// Pages of `/streams` answered with 200.
    pub pages: u64,
}

/// What was asked and answered on one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EndpointStats {
    /// Calls.
    pub calls: u64,
    /// Replies by status; 0 stands for a connection closed without one.
    pub statuses: BTreeMap<u16, u64>,
    /// Ids asked for.
    pub ids: Asked,
}

/// The ids an endpoint was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// All of them, repeats included.
    pub total: u64,
    /// Different ones.
    pub distinct: u64,
    /// Those asked for more than once.
    pub repeated: u64,
    /// How often the id asked for most often was asked for.
    pub most: u64,
}

impl Stats {
    /// Calls of this endpoint.
    pub fn calls(&self, endpoint: Endpoint) -> u64 {
        self.endpoints.get(&endpoint).map_or(0, |stats| stats.calls)
    }

    /// Replies of this endpoint with this status.
    pub fn replies(&self, endpoint: Endpoint, status: u16) -> u64 {
        self.endpoints.get(&endpoint).and_then(|stats| stats.statuses.get(&status)).copied().unwrap_or(0)
    }

    /// The ids this endpoint was asked for.
    pub fn asked(&self, endpoint: Endpoint) -> Asked {
        self.endpoints.get(&endpoint).map(|stats| stats.ids.clone()).unwrap_or_default()
    }
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Tally {
    stats: Stats,
    ids: BTreeMap<Endpoint, HashMap<Box<str>, u64>>,
}

impl Tally {
    /// Counts a call and gives its number on its endpoint, from 1.
    pub(crate) fn call<'a>(&mut self, endpoint: Endpoint, ids: impl Iterator<Item = &'a str>) -> u64 {
        let seen = self.ids.entry(endpoint).or_default();
        for id in ids {
            *seen.entry(id.into()).or_default() += 1;
        }
        let stats = self.stats.endpoints.entry(endpoint).or_default();
        stats.calls += 1;
        stats.calls
    }

    pub(crate) fn reply(&mut self, endpoint: Endpoint, status: u16) {
        let here = self.stats.endpoints.entry(endpoint).or_default();
        *here.statuses.entry(status).or_default() += 1;
        self.stats.pages += u64::from(endpoint == Endpoint::Streams && status == 200);
    }

    pub(crate) fn token(&mut self) {
        self.stats.tokens_issued += 1;
    }

    pub(crate) fn point(&mut self, had_one: bool) {
        let counter = if had_one { &mut self.stats.points } else { &mut self.stats.bucket_empty };
        *counter += 1;
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        for (endpoint, seen) in &self.ids {
            stats.endpoints.entry(*endpoint).or_default().ids = Asked {
                total: seen.values().sum(),
                distinct: seen.len() as u64,
                repeated: seen.values().filter(|&&times| times > 1).count() as u64,
                most: seen.values().copied().max().unwrap_or(0),
            };
        }
        stats
    }
}
