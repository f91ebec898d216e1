//! The nodes of a RabbitMQ cluster, killed one at a time, each in the middle of a pull.

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
    let nodes = services.nodes()?;
    let wanted = undisturbed(setting).await?;
    let third = i64::try_from(setting.streams / 300)?;
    for node in 1..=nodes {
        let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
        flow.start_all(1).await?;
        let members = flow.place.least_members().await?;
        if members < nodes {
            return Err(format!("a quorum queue has {members} members on {nodes} nodes").into());
        }
        let begun = Instant::now();
        let pull = flow.request().await?;
        let before = flow.until(pull, PATIENCE, |report| report.games_chunks >= third).await?;
        let killed = Instant::now();
        services.kill_node(node).await?;
        flow.until(pull, PATIENCE, |report| report.merged_chunks > before.merged_chunks + third / 2).await?;
        let moved = killed.elapsed();
        flow.succeeded(pull).await?;
        let wall = begun.elapsed();
        services.start_node(node).await?;
        flow.reconnect().await?;
        same(&wanted, &settled(&flow, pull).await?)?;
        say(&format!(
            "   node {node} of {nodes}: killed with {} chunks stored and {} merged; chunks merged again after {:.1} s, the \
             pull took {:.1} s without it; the same tables",
            before.chunks,
            before.merged_chunks,
            moved.as_secs_f64(),
            wall.as_secs_f64(),
        ))?;
        flow.end().await?;
    }
    Ok(())
}
