//! `operator pulls`.

use clap::Args;

use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
const JSON: &str = r#"JSON: one document per line, each as "pull" of `operator show`"#;

/// List the newest pulls
///
/// Two lines per pull, as the headings say; beneath the table, why pulls failed.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Pulls {
    /// List at most N
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

impl Pulls {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pulls = store.pulls(self.limit).await?;
        let now = context.clock.now();
        context.output.list(pulls, json::PullReport::from, |pulls| view::pulls(pulls, now));
        Ok(Exit::Success)
    }
}
