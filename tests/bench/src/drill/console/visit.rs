//! A page, asked for again and again, one request after the other.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::Client;

use super::site::{OURS, Site, assets, is_live};
use crate::outcome::Outcome;

/// What a page took.
pub(super) struct Visits {
    pub(super) path: String,
    /// Before each request.
    pub(super) pause: Duration,
    /// In order of length.
    took: Vec<Duration>,
    /// Of its HTML or JSON.
    pub(super) bytes: usize,
    /// That a browser makes for it.
    pub(super) requests: usize,
    /// Per request.
    pub(super) statements: f64,
    /// Blocks of PostgreSQL that were touched, per request.
    pub(super) blocks: f64,
    /// The statement that took longest per request, and how long, in milliseconds.
    pub(super) dearest: Option<(String, f64)>,
}

impl Visits {
    /// The nearest-rank percentile, in milliseconds.
    pub(super) fn at(&self, percent: usize) -> f64 {
        let rank = (self.took.len() * percent).div_ceil(100).max(1);
        self.took.get(rank - 1).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    }
}

/// Asks for a page so many times, after one request that is not counted; a page that is not found is a failure.
pub(super) async fn visit(
    site: &Site,
    db: &Client,
    path: String,
    requests: usize,
    pause: Duration,
) -> Outcome<Visits> {
    let ask = async || -> Outcome<String> {
        let answer = site.get(&path).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        if status.is_success() { Ok(body) } else { Err(format!("{path}: {status}: {body}").into()) }
    };
    let body = ask().await?;
    db.execute("/* bench */ select pg_stat_statements_reset()", &[]).await?;
    let mut took = Vec::with_capacity(requests);
    for _ in 0..requests {
        sleep(pause).await;
        let begun = Instant::now();
        ask().await?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let sum = format!(
        "/* bench */ select coalesce(sum(calls), 0)::float8 as calls, coalesce(sum(shared_blks_hit + shared_blks_read), 0)::float8 as blocks
         from pg_stat_statements where {OURS}"
    );
    let dearest = format!(
        "/* bench */ select coalesce(substring(query from '/\\* ([^*]+) \\*/'), query) as name, total_exec_time as ms
         from pg_stat_statements where {OURS} order by total_exec_time desc limit 1"
    );
    let (sum, dearest) = (db.query_one(&sum, &[]).await?, db.query_opt(&dearest, &[]).await?);
    #[expect(clippy::cast_precision_loss, reason = "a few dozen requests")]
    let each = |all: f64| all / requests.max(1) as f64;
    Ok(Visits {
        pause,
        took,
        bytes: body.len(),
        requests: 1 + assets(&body).len() + usize::from(is_live(&path)),
        statements: each(sum.get("calls")),
        blocks: each(sum.get("blocks")),
        dearest: dearest.map(|row| (row.get("name"), each(row.get("ms")))),
        path,
    })
}
