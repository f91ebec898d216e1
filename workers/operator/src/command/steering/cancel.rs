//! `operator cancel`: the end is committed, then announced, as a worker does it.

use clap::Args;
use shared::{
    operations::{Action, Effect},
    topology::Announcement,
};

use crate::{
    command::{
        confirmation::Confirmation,
        recorded::{recorded, requester},
    },
    context::Context,
    error::Error,
    exit::Exit,
    json, output,
    pull_ref::PullRef,
    suggest,
};

/// What a program reads.
const JSON: &str = r#"JSON: {"pull_id", "announced": true | false}"#;

/// Cancel a pull that is under way
///
/// It ends as failed, with who cancelled it and why. Its messages are dropped where they arrive; other pulls, and what is
/// stored, are not touched. Only `operator rerun` brings it back, if all its pages were fetched.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Cancel {
    /// The pull, by number or `latest`
    #[arg(value_name = "PULL")]
    pull: PullRef,
    /// Why, for whoever wonders
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Cancel {
    pub(in crate::command) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pull = context.resolve(&store, self.pull).await?;
        self.confirmation.ask(&format!("Cancel pull {pull}?"))?;
        let reason = self.reason.as_deref().filter(|reason| !reason.is_empty());
        let (by, now) = (&self.confirmation.by, context.clock.now());
        let work = async { Ok(store.cancel_pull(pull, by, reason, now).await?) };
        let action = Action::Cancel { pull: pull.0, reason: reason.map(str::to_owned) };
        let effect = |(): &()| Effect::Cancelled(pull);
        recorded(context, &store, &action, requester(by, None), effect, work).await?;
        let event = store.closed(pull).await?;
        let announced = match context.connect().await {
            Ok(broker) => {
                let event: Vec<Announcement> = event.iter().map(Announcement::of).collect();
                broker.announcer.announce(event).await.map_err(Error::from)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &announced {
            output::error(&format!("pull {pull} is cancelled; that is not announced yet: {error}"));
        }
        let text = suggest::typed(&format!(
            "pull {pull} is cancelled; `operator show {pull}` shows what is stored of it"
        ));
        let announced = announced.is_ok();
        context.output.result(pull, |pull_id| json::Requested { pull_id, announced }, |_| text);
        Ok(Exit::Success)
    }
}
