//! The lake's part of `operator erase`.

use std::time::Duration;

use shared::{
    clock::Clock,
    lake::{FoundInLake, LakeErasure},
    proof::Leftovers,
    scrub::Scrubber,
    store::{LakeAction, Places, Store},
};
use tokio::time::{Instant, sleep};

use super::ask::PERIOD;
use crate::error::Error;

/// How long an exporter may take to begin: it looks every two seconds, unless it is doing what somebody else has asked for.
const BEGUN_WITHIN: Duration = Duration::from_mins(1);

/// The files of the lake, which the exporter searches and rewrites.
pub(in crate::command) struct LakeFiles<'a> {
    pub(in crate::command) store: &'a Store,
    pub(in crate::command) clock: &'a Clock,
    /// Who asks, for the record.
    pub(in crate::command) by: &'a str,
    /// Longest time to wait for an answer.
    pub(in crate::command) timeout: Duration,
}

impl LakeFiles<'_> {
    /// Where the files have the channel, and the names under which they have it.
    ///
    /// # Errors
    /// [`Error::Failed`] where no exporter answers, or the files cannot be read. The lake is as it was.
    pub(in crate::command) async fn search(
        &self,
        scrubber: &Scrubber,
    ) -> Result<(Places, Vec<String>), Error> {
        let found = self.ask(scrubber, true).await?;
        Ok((places(&found), found.names))
    }

    /// Has the channel taken out of the files, and searched for. Where they still have it.
    ///
    /// # Errors
    /// As for [`Self::search`]; an exporter that has begun goes on.
    pub(in crate::command) async fn erase(&self, scrubber: &Scrubber) -> Result<Leftovers, Error> {
        Ok(self.ask(scrubber, false).await?.left)
    }

    async fn ask(&self, scrubber: &Scrubber, dry_run: bool) -> Result<FoundInLake, Error> {
        // Of a command that was interrupted.
        self.store.forget_lake_erasures(self.clock.now()).await?;
        let erasure = LakeErasure { scrubber: scrubber.clone(), dry_run };
        let arguments = serde_json::to_value(&erasure).map_err(|error| Error::Failed(error.to_string()))?;
        let id = self.store.request_lake(LakeAction::Erase, &arguments, self.by, self.clock.now()).await?;
        let outcome = self.wait_for(id).await?;
        self.store.forget_lake_erasures(self.clock.now()).await?;
        let answer = outcome.map_err(|trouble| {
            Error::Failed(format!("the exporter could not search the lake's files: {trouble}"))
        })?;
        // An older exporter takes the request for another.
        serde_json::from_value(answer).map_err(|_| {
            Error::Failed(
                "the exporter is of a build that cannot erase: update it, and run the command again".into(),
            )
        })
    }

    async fn wait_for(&self, id: i64) -> Result<Result<serde_json::Value, String>, Error> {
        let asked = Instant::now();
        loop {
            let request = self.store.lake_request(id).await?;
            let started = request.as_ref().is_some_and(|request| request.started);
            if let Some(outcome) = request.and_then(|request| request.outcome) {
                return Ok(outcome);
            }
            if !started && asked.elapsed() >= self.timeout.min(BEGUN_WITHIN) {
                if self.store.withdraw_lake_request(id).await? {
                    return Err(Error::Failed(NO_EXPORTER.to_owned()));
                }
            } else if asked.elapsed() >= self.timeout {
                return Err(Error::Failed(format!(
                    "the exporter is not done with request {id} after {}, and goes on: run the command again later",
                    humantime::format_duration(self.timeout)
                )));
            }
            sleep(PERIOD).await;
        }
    }
}

/// The rows by place: `lake/stream_peek`, which no table or queue is called.
fn places(found: &FoundInLake) -> Places {
    found.rows.iter().map(|(table, rows)| (format!("lake/{table}"), *rows)).collect()
}

const NO_EXPORTER: &str = "there is a lake, and no exporter answers: it alone has the credentials of the storage. Start one \
    (exporter, with LAKE_URL) and run the command again, or pass --leave-lake to erase all but the lake's files";
