//! What the exporter does beside its messages.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures::FutureExt;
use shared::{
    clock::Clock,
    failure::Failure,
    runtime::{Announcer, Duty, every, sharing},
    store::LakeLock,
    topology::EXPORTER,
};

use crate::lake::Lake;

/// How often it is looked whether somebody has asked for something, and whether pulls are missing.
const OFTEN: Duration = Duration::from_secs(2);
const SELDOM: Duration = Duration::from_mins(1);
/// How often what is old is tidied away and closed days are compacted.
const HOURLY: Duration = Duration::from_hours(1);
/// How long one run of the large ones may take.
const LONG: Duration = Duration::from_hours(1);
/// How long what people have asked for may take: an erasure reads the lake from end to end.
const LONGEST: Duration = Duration::from_hours(24);
/// How long the event of a completed pull is waited for.
const EVENT_PATIENCE: TimeDelta = TimeDelta::minutes(2);
/// Most pulls announced again at a time: the next come when these are done.
const AT_ONCE: i64 = 100;

/// What the duties work with.
pub(crate) struct Background {
    pub(crate) lake: Lake,
    pub(crate) clock: Clock,
    pub(crate) announcer: Announcer,
    /// How long a file stays in storage after the last snapshot that has it.
    pub(crate) grace: TimeDelta,
}

impl Background {
    /// The duties. Each is done by one replica at a time.
    pub(crate) fn duties(self) -> Vec<Duty> {
        let all = Arc::new(self);
        vec![
            every(OFTEN, "lake-requests", sharing(&all, requests)).within(LONGEST),
            every(SELDOM, "lake-catch-up", sharing(&all, catch_up)),
            every(HOURLY, "lake-compaction", sharing(&all, compact)).within(LONG),
            every(HOURLY, "lake-expiry", sharing(&all, tidy)).within(LONG),
        ]
    }

    /// Hands completed pulls whose event never came to this stage: those from before it was deployed, and those whose event
    /// went with a queue that nobody read for a week. Only when nothing waits, so that none is announced twice in a row.
    async fn catch_up(&self) -> Result<(), Failure> {
        let missing = self.lake.store.pulls_without_lake(self.clock.now() - EVENT_PATIENCE, AT_ONCE).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let queue = EXPORTER.info();
        let depths = self.announcer.depths().await?;
        let waiting =
            depths.iter().filter(|depth| depth.name.starts_with(queue.queue()) && depth.name != queue.dead());
        if waiting.filter_map(|depth| depth.ready).sum::<u32>() > 0 {
            return Ok(());
        }
        let announced = self.announce(&missing).await?;
        tracing::info!(
            pulls = announced,
            "{announced} completed pulls are not in the lake yet: exporting them"
        );
        Ok(())
    }

    /// Looks after the lake, unless somebody is at it, or at an erasure, just now.
    async fn if_free<T>(&self, work: impl Future<Output = Result<T, Failure>> + Send) -> Result<(), Failure> {
        let store = &self.lake.store;
        store.if_lake_lock(LakeLock::Upkeep, Duration::ZERO, work.boxed()).await?;
        Ok(())
    }
}

async fn requests(all: Arc<Background>) -> Result<(), Failure> {
    all.lake.store.if_elected("lake-requests", all.answer_requests().boxed()).await?;
    Ok(())
}

async fn catch_up(all: Arc<Background>) -> Result<(), Failure> {
    all.lake.store.if_elected("lake-catch-up", all.catch_up()).await?;
    Ok(())
}

async fn compact(all: Arc<Background>) -> Result<(), Failure> {
    all.if_free(all.lake.compact_closed_days(all.clock.now())).await?;
    // Manifests that a process could not write before it died.
    all.lake.write_manifests().await
}

async fn tidy(all: Arc<Background>) -> Result<(), Failure> {
    all.if_free(all.lake.tidy(all.grace, all.clock.now())).await
}
