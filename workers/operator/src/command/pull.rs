//! `operator pull`: the request is committed, then announced; a crash between is mended by the finalizer's watch.

use clap::Args;
use serde::Serialize;
use shared::{
    schema::{PullId, PullRequested},
    topology::EXTRACTOR,
};

use super::wait::{self, Patience};
use crate::{context::Context, error::Error, exit::Exit, output};

/// What a program reads.
const JSON: &str = r#"JSON: {"pull_id": 7, "announced": true}; with --wait as `operator wait`"#;

/// Ask for one pull; with --wait, follow it to its end
///
/// Without --wait prints the number of the pull and leaves. With it, shows progress on standard error (bars on a
/// terminal, lines elsewhere) and at the end a summary; exits 0 if the pull succeeded and 1 if it failed. Ctrl-C and
/// the timeout end only the waiting.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Pull {
    /// Follow the pull to its end
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    patience: Patience,
    /// Who asks, for the record
    #[arg(long, value_name = "WHO", default_value = "operator")]
    by: String,
}

#[derive(Serialize)]
struct Document {
    pull_id: PullId,
    announced: bool,
}

impl Pull {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        // Before anything is recorded: without a broker nobody is asked for anything.
        let broker = context.connect().await?;
        let pull = store.request_pull(&self.by, context.clock.now()).await?;
        let request = EXTRACTOR.request(&PullRequested { pull_id: pull });
        let announced = broker.announcer.announce(vec![request]).await;
        let unannounced = announced.err().map(|failure| Error::Unannounced { pull, failure });
        drop(broker);
        if self.wait {
            if let Some(error) = unannounced {
                output::complain(&error);
            }
            return wait::follow(context, &store, pull, self.patience).await;
        }
        let document = Document { pull_id: pull, announced: unannounced.is_none() };
        context.output.result(&document, |document| document.pull_id.to_string());
        unannounced.map_or(Ok(Exit::Success), Err)
    }
}
