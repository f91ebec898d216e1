//! One pull of a candidate, measured.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use fake_twitch::{Endpoint, World};
use shared::schema::PullId;
use tokio::time::sleep;

use super::candidate::Running;
use crate::{
    Outcome,
    measure::{self, mebibytes},
    process_tree::{peak_memory, reset_peak, tree_cpu},
    services::Server,
};

// What is measured, by the names that the JSON has.
pub(crate) const WALL: &str = "wall_s";
pub(crate) const CPU: &str = "cpu_s";
pub(crate) const CPU_OWN: &str = "cpu_own_s";
pub(crate) const CPU_POSTGRESQL: &str = "cpu_postgresql_s";
pub(crate) const CPU_RABBITMQ: &str = "cpu_rabbitmq_s";
pub(crate) const MEMORY: &str = "peak_pss_mib";
pub(crate) const CALLS: &str = "calls";
pub(crate) const STATEMENTS: &str = "statements";
pub(crate) const MESSAGES: &str = "messages";

/// How long processor time is counted beyond the success: acknowledgements and the like come after it.
const AFTER: Duration = Duration::from_millis(250);

/// What one pull took, by name.
pub(crate) type Sample = BTreeMap<&'static str, f64>;

/// A pull from its request to its success.
#[expect(clippy::cast_precision_loss, reason = "counts of one pull")]
pub(crate) async fn pull(running: &mut Running) -> Outcome<(PullId, Sample)> {
    // What an earlier pull left to be written is not this one's.
    running.db().batch_execute("checkpoint").await?;
    running.db().batch_execute("select pg_stat_statements_reset()").await?;
    for pid in running.processes()? {
        reset_peak(pid)?;
    }
    running.twitch().reset_stats();
    let services = running.place().services().clone();
    let messages = services.messages_published().await?;
    let before = processor(running)?;

    let begun = Instant::now();
    let pull = running.request().await?;
    running.succeeded(pull).await?;
    let wall = begun.elapsed();

    sleep(AFTER).await;
    let after = processor(running)?;
    let mut memory = 0;
    for pid in running.processes()? {
        memory += peak_memory(pid)?;
    }
    let mut sample: Sample = after.iter().map(|(name, after)| (*name, after - before[name])).collect();
    sample.insert(CPU, sample.values().sum());
    sample.insert(WALL, wall.as_secs_f64());
    sample.insert(MEMORY, mebibytes(memory));
    let stats = running.twitch().stats();
    let calls = [Endpoint::Streams, Endpoint::Games, Endpoint::Users].map(|endpoint| stats.calls(endpoint));
    sample.insert(CALLS, calls.iter().sum::<u64>() as f64);
    sample.insert(STATEMENTS, statements(running).await? as f64);
    sample.insert(MESSAGES, (services.messages_published().await? - messages) as f64);
    Ok((pull, sample))
}

/// Seconds of processor time so far. Who does not use the broker is not charged for what it does meanwhile.
fn processor(running: &Running) -> Outcome<Sample> {
    let services = running.place().services();
    let mut own = 0.0;
    for pid in running.processes()? {
        own += tree_cpu(pid)?;
    }
    let rabbitmq = if running.uses_broker() { tree_cpu(services.pid(Server::RabbitMq)?)? } else { 0.0 };
    let postgresql = tree_cpu(services.pid(Server::PostgreSql)?)?;
    Ok(Sample::from([(CPU_OWN, own), (CPU_POSTGRESQL, postgresql), (CPU_RABBITMQ, rabbitmq)]))
}

/// Statements in this database since the reset, `begin` and `commit` among them, ours here left out.
async fn statements(running: &Running) -> Outcome<i64> {
    let sql = "/* bench::statements */ select coalesce(sum(calls), 0)::bigint from pg_stat_statements
               where dbid = (select oid from pg_database where datname = current_database())
                 and query not like '/* bench::%' and query not like 'select pg_stat_statements_reset%'";
    Ok(running.db().query_one(sql, &[]).await?.try_get(0)?)
}

/// The fewest calls a first and a second pull can do with.
pub(crate) fn least_calls(world: &World) -> [usize; 2] {
    let least = measure::least_calls(world);
    [least.iter().map(|(_, _, calls)| calls).sum(), least[0].2]
}
