//! Asking the exporter, and waiting for its answer.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use shared::store::LakeAction;
use tokio::time::{Instant, sleep};

use crate::{context::Context, error::Error};

/// How often it is looked whether the answer is there.
pub(super) const PERIOD: Duration = Duration::from_millis(200);

/// Who asks, and for how long the answer is waited for.
#[derive(Debug, Args)]
pub(super) struct Ask {
    /// Longest time to wait for the exporter, such as 90s or 2h; it goes on after that
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Who asks, for the record
    #[arg(long, value_name = "WHO", env = "USER", hide_env_values = true, default_value = "operator")]
    by: String,
}

impl Ask {
    /// The exporter's answer.
    ///
    /// # Errors
    /// [`Error::Failed`] with what the exporter says went wrong, and where no answer came in time.
    pub(super) async fn ask(
        &self,
        context: &Context,
        action: LakeAction,
        arguments: &Value,
    ) -> Result<Value, Error> {
        let store = context.ready_store().await?;
        let id = store.request_lake(action, arguments, &self.by, context.clock.now()).await?;
        let asked = Instant::now();
        loop {
            match store.lake_request(id).await?.and_then(|request| request.outcome) {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(trouble)) => {
                    return Err(Error::Failed(format!("the exporter could not do it: {trouble}")));
                }
                None if asked.elapsed() >= self.timeout => {
                    let waited = humantime::format_duration(self.timeout);
                    return Err(Error::Failed(format!(
                        "request {id} has no answer after {waited}: is an exporter running? It is carried out when one is"
                    )));
                }
                None => sleep(PERIOD).await,
            }
        }
    }
}
