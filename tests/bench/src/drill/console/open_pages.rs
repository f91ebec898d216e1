//! Pages that people have open: their news, and what these ask of PostgreSQL.

use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_postgres::Client;

use super::site::{FORGOTTEN, OURS, Site};
use crate::outcome::Outcome;

/// What was seen while pages were open.
pub(super) struct Watched {
    pub(super) statements_per_minute: f64,
    /// Of one page.
    pub(super) news_per_minute: f64,
}

/// Has a page open at each of these addresses, for so long; counted from when each has had its first news.
pub(super) async fn watch(site: &Site, db: &Client, paths: &[String], long: Duration) -> Outcome<Watched> {
    let mut open = try_join_all(paths.iter().map(|path| open(site, path))).await?;
    // What somebody asked for just now has been answered, and nobody waits for it any more.
    let settled = Instant::now() + FORGOTTEN * 2;
    try_join_all(open.iter_mut().map(|page| read(page, settled))).await?;
    sleep_until(settled).await;
    db.execute("/* bench */ select pg_stat_statements_reset()", &[]).await?;
    let until = Instant::now() + long;
    let news = try_join_all(open.iter_mut().map(|page| read(page, until))).await?;
    sleep_until(until).await;
    let sql = format!(
        "/* bench */ select coalesce(sum(calls), 0)::float8 as calls from pg_stat_statements where {OURS}"
    );
    let calls: f64 = db.query_one(&sql, &[]).await?.get("calls");
    let minutes = long.as_secs_f64() / 60.0;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let each = news.iter().sum::<usize>() as f64 / paths.len().max(1) as f64;
    Ok(Watched { statements_per_minute: calls / minutes, news_per_minute: each / minutes })
}

/// Opens a page's news, and waits for the first.
async fn open(site: &Site, path: &str) -> Outcome<reqwest::Response> {
    let mut page = site.get("/live").query(&[("page", path)]).send().await?.error_for_status()?;
    page.chunk().await?.ok_or("the news ended")?;
    Ok(page)
}

/// How many pieces of news a page gets until then.
async fn read(page: &mut reqwest::Response, until: Instant) -> Outcome<usize> {
    let mut news = 0;
    // A piece may come in several chunks; its end is an empty line.
    while let Ok(chunk) = timeout_at(until, page.chunk()).await {
        let chunk = chunk?.ok_or("the news ended")?;
        news += usize::from(chunk.ends_with(b"\n\n"));
    }
    Ok(news)
}
