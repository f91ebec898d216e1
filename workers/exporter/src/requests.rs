//! What a person asks for: `operator lake …` notes it in the database, because storage is the exporter's alone.

use serde_json::{Value, json};
use shared::{
    failure::Failure,
    schema::PullId,
    store::{LakeAction, LakeRequest},
    topology::EXPORTER,
};

use crate::background::Background;

impl Background {
    /// Carries out what was asked, in order; a failure is the answer.
    pub(crate) async fn answer_requests(&self) -> Result<(), Failure> {
        while let Some(request) = self.lake.store.next_lake_request(self.clock.now()).await? {
            let LakeRequest { id, action, arguments, .. } = request;
            tracing::info!(request = id, "asked to {} the lake", action.as_str());
            let outcome = self.carry_out(action, &arguments).await.map_err(|failure| failure.to_string());
            self.lake.store.finish_lake_request(id, &outcome, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn carry_out(&self, action: LakeAction, arguments: &Value) -> Result<Value, Failure> {
        let now = self.clock.now();
        let answer = match action {
            LakeAction::Export => self.export_again(arguments).await?,
            LakeAction::Compact => json!({ "compacted": self.lake.compact_closed_days(now).await? }),
            LakeAction::Verify => json!(self.lake.verify(now).await?),
            LakeAction::Expire => json!(self.lake.tidy(self.keep, now).await?),
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
