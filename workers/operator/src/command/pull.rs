//! `operator pull`: the request is committed, then announced; after a crash in between the finalizer announces it.

use clap::Args;
use shared::{schema::PullRequested, store::Store, topology::EXTRACTOR};

use super::wait::{self, Timeout};
use crate::{context::Context, error::Error, exit::Exit, json, output, view};

/// What a program reads.
const JSON: &str = r#"JSON: {"pull_id": 7, "announced": true}; with --wait as `operator wait`"#;

/// Request a pull; with --wait, follow it to its end
///
/// Without --wait, prints the pull's number and exits. With it, shows progress on standard error (bars at a terminal, lines
/// elsewhere), then a summary; exits 0 if the pull succeeded and 1 if it failed. Ctrl-C and the timeout end only the waiting.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Pull {
    /// Follow the pull to its end
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    timeout: Timeout,
    /// Even while the extractor is paused: it handles the first request that waits, and stays paused
    #[arg(long)]
    now: bool,
    /// Who requests it, for the record
    #[arg(long, value_name = "WHO", default_value = "operator")]
    by: String,
}

impl Pull {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        // Before anything is recorded: without a broker nothing is requested.
        let broker = context.connect().await?;
        let pull = store.request_pull(&self.by, context.clock.now()).await?;
        let request = EXTRACTOR.request(&PullRequested { pull_id: pull });
        let announced = broker.announcer.announce(vec![request]).await;
        let unannounced = announced.err().map(|failure| Error::Unannounced { pull, failure });
        drop(broker);
        self.mind_a_pause(context, &store).await?;
        if self.wait {
            if let Some(error) = unannounced {
                output::error(&error);
            }
            return wait::follow(context, &store, pull, self.timeout).await;
        }
        let announced = unannounced.is_none();
        context.output.result(pull, |pull_id| json::Requested { pull_id, announced }, ToString::to_string);
        unannounced.map_or(Ok(Exit::Success), Err)
    }

    /// A request waits while a person has paused the extractor: says so, or has it handle one all the same.
    async fn mind_a_pause(&self, context: &Context, store: &Store) -> Result<(), Error> {
        let (extractor, now) = (EXTRACTOR.info().name, context.clock.now());
        let pauses = store.stage_pauses(now).await?;
        let Some(pause) = pauses.iter().find(|pause| pause.stage == extractor) else { return Ok(()) };
        if self.now {
            store.request_run_once(extractor, &self.by, None, now).await?;
        } else {
            output::warn(&format!("{}; --now requests a pull in spite of it", view::person_pause(pause)));
        }
        Ok(())
    }
}
