//! `operator lake adopt`.

use clap::Args;

use super::{
    super::confirmation::Confirmation,
    status::{JSON, Status},
};
use crate::{context::Context, error::Error, exit::Exit};

/// Make the data lake this database's, which is a copy that takes over from its original
///
/// After a database was restored from a dump or upgraded, it is another to the lake, and its exporter is refused. Stop the exporters of
/// the original first, if it still runs: they are refused from the moment one of this database is started. Run it as the owner of the
/// database, as `operator migrate`. Harmless to repeat.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Adopt {
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Adopt {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.owners_store().await?;
        self.confirmation.ask("No other database will write this lake any more. Adopt it?")?;
        store.adopt_lake().await?;
        Status {}.run(context).await
    }
}
