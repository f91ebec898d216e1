//! What a person asks for: `operator lake …` notes it in the database, because storage is the exporter's alone.

use std::time::Duration;

use futures::FutureExt;
use serde_json::{Value, json};
use shared::{
    failure::Failure,
    lake::LakeErasure,
    schema::PullId,
    store::{LakeAction, LakeLock, LakeRequest},
    topology::EXPORTER,
};

use crate::background::Background;

/// How long what was asked waits for a compaction or the like to end.
const PATIENCE: Duration = Duration::from_mins(15);

impl Background {
    /// Carries out what was asked, in order; a failure is the answer.
    pub(crate) async fn answer_requests(&self) -> Result<(), Failure> {
        while let Some(request) = self.lake.store.next_lake_request(self.clock.now()).await? {
            let LakeRequest { id, action, arguments, .. } = request;
            tracing::info!(request = id, "carrying out request {id}: {}", action.as_str());
            let outcome = self.carry_out(action, &arguments).await.map_err(|failure| failure.to_string());
            self.lake.store.finish_lake_request(id, &outcome, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn carry_out(&self, action: LakeAction, arguments: &Value) -> Result<Value, Failure> {
        let now = self.clock.now();
        let answer = match action {
            LakeAction::Export => self.export_again(arguments).await?,
            LakeAction::Compact => {
                json!({ "compacted": self.upkeep(self.lake.compact_closed_days(now)).await? })
            }
            LakeAction::Verify if arguments["contents"] == false => {
                json!(self.lake.verify_without_contents(now).await?)
            }
            LakeAction::Verify => json!(self.lake.verify(now).await?),
            LakeAction::Expire => json!(self.upkeep(self.lake.tidy(self.grace, now)).await?),
            LakeAction::Erase => self.erase(arguments).await?,
        };
        Ok(answer)
    }

    /// Hands the pulls that were named to this stage once more, or without any those that the lake lacks; they are exported as
    /// messages, so that one that cannot be is a dead letter like any other.
    async fn export_again(&self, arguments: &Value) -> Result<Value, Failure> {
        let named = arguments["pulls"].as_array().cloned().unwrap_or_default();
        let mut pulls: Vec<PullId> = named.iter().filter_map(Value::as_i64).map(PullId).collect();
        for pull in &pulls {
            self.lake.store.unmark_export(*pull).await?;
        }
        if pulls.is_empty() {
            pulls = self.lake.store.pulls_without_lake(self.clock.now(), i64::MAX).await?;
        }
        let announced = self.announce(&pulls).await?;
        Ok(json!({ "announced": announced }))
    }

    /// Searches the files for a channel, and takes it out of them unless it is only to be counted. While the lake is compacted or
    /// tidied, files that name it come and go: neither is done at the time.
    async fn erase(&self, arguments: &Value) -> Result<Value, Failure> {
        let asked: LakeErasure = serde_json::from_value(arguments.clone()).map_err(|error| {
            Failure::permanent("lake.request", format!("the request cannot be read: {error}"))
        })?;
        let work = async {
            if asked.dry_run {
                self.lake.search(asked.scrubber).await
            } else {
                self.lake.erase(asked.scrubber, self.clock.now()).await
            }
        };
        Ok(json!(self.upkeep(work).await?))
    }

    /// Does what nobody else may do to the lake at the time, once they have done theirs.
    async fn upkeep<T>(&self, work: impl Future<Output = Result<T, Failure>> + Send) -> Result<T, Failure> {
        self.lake.store.with_lake_lock(LakeLock::Upkeep, PATIENCE, work.boxed()).await
    }

    /// Announces the ends of these pulls to this stage alone.
    pub(crate) async fn announce(&self, pulls: &[PullId]) -> Result<usize, Failure> {
        let mut announcements = Vec::with_capacity(pulls.len());
        for pull in pulls {
            announcements.extend(self.lake.store.closed(*pull).await?.map(|closed| EXPORTER.repeat(&closed)));
        }
        let announced = announcements.len();
        if announced > 0 {
            self.announcer.announce(announcements).await?;
        }
        Ok(announced)
    }
}
