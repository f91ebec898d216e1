//! `operator lake reset`.

use clap::Args;

use super::{
    super::confirmation::Confirmation,
    status::{JSON, Status},
};
use crate::{context::Context, error::Error, exit::Exit};

/// Forget the data lake's files, and begin an empty lake: for a copy of a database, whose files are its original's
///
/// Files stay where they are. Give the exporter a `LAKE_URL` of its own afterwards; `operator lake export` has it export what the database
/// still has. Run it as the owner of the database, as `operator migrate`.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Reset {
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Reset {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.owners_store().await?;
        let status = store.lake_status(context.clock.now().date_naive()).await?;
        let files: i64 = status.tables.iter().map(|table| table.files).sum();
        self.confirmation
            .ask(&format!("The lake has {files} files of {} pulls. Forget them?", status.pulls))?;
        store.reset_lake().await?;
        Status {}.run(context).await
    }
}
