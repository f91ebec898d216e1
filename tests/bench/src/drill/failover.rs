//! PostgreSQL's primary killed, and its standby promoted, in the middle of a pull.

use std::time::{Duration, Instant};

use super::{settled, undisturbed};
use crate::{
    digest::same,
    flow::{Flow, Shape},
    outcome::{Outcome, say},
    setting::Setting,
};

/// How long the flow may take to move again.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) async fn run(setting: &Setting) -> Outcome<()> {
    let services = setting.services();
    let wanted = undisturbed(setting).await?;
    let third = i64::try_from(setting.streams / 300)?;
    let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
    flow.start_all(1).await?;
    let begun = Instant::now();
    let pull = flow.request().await?;
    let before = flow.until(pull, PATIENCE, |report| report.games_chunks >= third).await?;
    let killed = Instant::now();
    services.promote().await?;
    let promoted = killed.elapsed();
    flow.until(pull, PATIENCE, |report| report.merged_chunks > before.merged_chunks + third / 2).await?;
    let moved = killed.elapsed();
    flow.reconnect().await?;
    flow.succeeded(pull).await?;
    let wall = begun.elapsed();
    same(&wanted, &settled(&flow, pull).await?)?;
    say(&format!(
        "   the primary: killed with {} chunks stored and {} merged; the standby was promoted after {:.1} s, chunks merged \
         again after {:.1} s, the pull took {:.1} s; the same tables",
        before.chunks,
        before.merged_chunks,
        promoted.as_secs_f64(),
        moved.as_secs_f64(),
        wall.as_secs_f64(),
    ))?;
    flow.end().await
}
