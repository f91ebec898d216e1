//! `operator dead-letters restore`.

use clap::Args;
use serde::Serialize;
use shared::{dead_letters, store::DeadLetterFilter};

use super::confirm::Confirmation;
use crate::{context::Context, error::Error, exit::Exit, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"restored": [17, …]}"#;

/// Bring discarded or vanished dead letters back into their dead-letter queues, as they were
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Restore {
    /// Dead letters by number
    #[arg(value_name = "ID", required = true)]
    ids: Vec<i64>,
    #[command(flatten)]
    consent: Confirmation,
}

#[derive(Serialize)]
struct Document {
    restored: Vec<i64>,
}

impl Restore {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let states = ["discarded", "vanished"].map(str::to_owned).to_vec();
        let mut ids = self.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let filter =
            DeadLetterFilter { ids: Some(ids.clone()), states: Some(states), ..DeadLetterFilter::default() };
        let there = store.list_dead_letters(&filter, 0, i64::MAX).await?;
        // All or nothing: a mistyped number is found out before anything is moved.
        for id in &ids {
            if there.iter().all(|letter| letter.id != *id) {
                let letter = super::show::find(&store, *id).await?;
                let why = format!(
                    "dead letter {id} is {}, neither discarded nor vanished. Nothing was changed",
                    letter.row.state
                );
                return Err(Error::Nothing(why));
            }
        }
        let letters = count(i64::try_from(ids.len()).unwrap_or(i64::MAX), "dead letter");
        self.consent.ask(&format!("Bring {letters} back into the dead-letter queue?"))?;
        let broker = context.connect().await?;
        let by = &self.consent.by;
        let restored = dead_letters::restore(&store, &broker.announcer, &context.clock, &ids, by).await?;
        context.output.result(&Document { restored }, |_| format!("{letters} restored"));
        Ok(Exit::Success)
    }
}
