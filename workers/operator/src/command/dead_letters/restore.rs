//! `operator dead-letters restore`.

use clap::Args;
use shared::{
    dead_letters,
    operations::{Action, Effect},
    store::DeadLetterFilter,
};

use super::{
    super::{
        confirmation::Confirmation,
        recorded::{recorded, requester},
    },
    show,
};
use crate::{context::Context, error::Error, exit::Exit, json, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"restored": [17, …]}"#;

/// Bring discarded or vanished dead letters back into their queues, as they were
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Restore {
    /// Dead letters by number
    #[arg(value_name = "ID", required = true)]
    ids: Vec<i64>,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Restore {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let mut ids = self.ids;
        ids.sort_unstable();
        ids.dedup();
        let named = DeadLetterFilter { ids: Some(ids.clone()), ..DeadLetterFilter::default() };
        let archived = named.in_states(&["discarded", "vanished"]);
        let archived = store.list_dead_letters(&archived, 0, i64::MAX).await?;
        // All or nothing: a mistyped number is found before anything is moved.
        for id in &ids {
            if archived.iter().all(|dead_letter| dead_letter.id != *id) {
                let state = show::find(&store, *id).await?.row.state;
                let why = format!(
                    "dead letter {id} is {state}, neither discarded nor vanished. Nothing was changed"
                );
                return Err(Error::Failed(why));
            }
        }
        let what = count(ids.len(), "dead letter");
        self.confirmation.ask(&format!("Bring {what} back into the dead-letter queue?"))?;
        let broker = context.connect().await?;
        let by = &self.confirmation.by;
        let work =
            async { Ok(dead_letters::restore(&store, &broker.announcer, &context.clock, &ids, by).await?) };
        let (action, who) = (Action::Restore { ids: ids.clone() }, requester(by, None));
        let effect = |restored: &Vec<i64>| Effect::Restored(restored.len());
        let restored = recorded(context, &store, &action, who, effect, work).await?;
        context.output.result(
            restored,
            |restored| json::Restored { restored },
            |_| format!("{what} restored"),
        );
        Ok(Exit::Success)
    }
}
