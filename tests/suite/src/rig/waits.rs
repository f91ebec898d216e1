//! Waiting for what a rig should come to.

use shared::{schema::PullId, store::PullReport};

use super::Rig;
use crate::{eventually::eventually, truth::assert_matches_world};

impl Rig {
    /// The pull, once it has come to its end.
    pub(crate) async fn ended(&self, pull: PullId) -> PullReport {
        eventually(&format!("pull {pull} should come to its end"), || async {
            let report = self.store.pull_report(pull).await.expect("a report");
            if matches!(report.status.as_str(), "success" | "failed") { Ok(report) } else { Err(report) }
        })
        .await
    }

    /// The pull, once it has succeeded.
    pub(crate) async fn succeeded(&self, pull: PullId) -> PullReport {
        let report = self.ended(pull).await;
        assert_eq!(report.status, "success", "{report:#?}");
        report
    }

    /// The pull has succeeded, and stored exactly what the world held.
    pub(crate) async fn stored_world(&self, pull: PullId) {
        self.succeeded(pull).await;
        assert_matches_world(&self.db, pull, self.twitch.world(), 10).await;
    }

    /// A pull from its request to its success.
    pub(crate) async fn whole_pull(&self) -> PullReport {
        self.succeeded(self.pull().await).await
    }

    /// Waits until `column` of the pull is at least `number`.
    pub(crate) async fn reached(&self, pull: PullId, column: &str, number: i64) {
        let sql = format!(
            "select done.{column} from pull p, lateral (
                 select count(*) as stored, count(games_at) as games, count(channels_at) as channels, count(merged_at) as merged
                 from pull_chunk c where c.pull_id = p.id) done where id = $1"
        );
        eventually(&format!("pull {pull} should have {number} of {column}"), || async {
            let found: i64 = self.db.query_one(&sql, &[&pull.0]).await.expect("a count").get(0);
            if found >= number { Ok(()) } else { Err(found) }
        })
        .await;
    }

    /// As if the time had passed after which what a dead process held is free for others.
    pub(crate) async fn let_leases_run_out(&self) {
        let sql = "update helix_claim set expires_at = now() - interval '1 s';
                   update pull set extractor_until = now() - interval '1 s' where extractor is not null";
        self.db.batch_execute(sql).await.expect("leases");
    }

    /// How many messages wait in a queue.
    pub(crate) async fn ready(&self, queue: &str) -> u32 {
        let depths = self.announcer.depths().await.expect("depths");
        let found = depths.iter().find(|depth| depth.name == queue).and_then(|depth| depth.ready);
        found.unwrap_or_else(|| panic!("{queue} should be there: {depths:?}"))
    }

    /// Waits until this many messages wait in a queue.
    pub(crate) async fn waits(&self, queue: &str, number: u32) {
        eventually(&format!("{number} messages should wait in {queue}"), || async {
            let ready = self.ready(queue).await;
            if ready == number { Ok(()) } else { Err(ready) }
        })
        .await;
    }
}
