//! `operator operations show`.

use clap::Args;

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    view::{self, OperationDetails},
};

/// What a program reads.
const JSON: &str = r#"JSON: as `list`, and "steps": [{"at", "step"}, …], and "replay", as `dead-letters replay` prints it, or null"#;

/// Show an operation: who ordered it, its steps, and what came of it
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Show {
    /// The operation's number
    #[arg(value_name = "ID")]
    id: i64,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let none =
            || Error::Failed(format!("there is no operation {}: `operator operations` lists them", self.id));
        let row = store.operation(self.id).await?.ok_or_else(none)?;
        let replay = match row.replay_id {
            Some(replay) => store.replay_report(replay).await?,
            None => None,
        };
        let details = OperationDetails { steps: store.operation_steps(row.id).await?, row, replay };
        context.output.result(details, json::OperationDetails::from, view::operation);
        Ok(Exit::Success)
    }
}
