//! `operator redshift load`.

use clap::Args;
use serde_json::json;
use shared::{config, lake::redshift::Redshift, store::run_load};

use super::target::{Day, Target};
use crate::{context::Context, error::Error, exit::Exit, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"tables": 4}"#;

/// Load a day into Redshift: what `operator redshift copy` prints, carried out
///
/// Harmless to repeat: the day's pulls take the place of what is there of them. Changes nothing where the files have another number
/// of rows than the lake's catalogue says. The tables must be there (`operator redshift ddl`).
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Load {
    #[command(flatten)]
    day: Day,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    redshift: config::Redshift,
}

impl Load {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let url = self.redshift.url()?;
        let store = context.ready_store().await?;
        let manifests = self.day.manifests(&store).await?;
        let expected = self.day.rows(&store).await?;
        run_load(&url, &Redshift::from(self.target).load(&manifests), &expected).await?;
        let tables = manifests.len();
        context.output.result(
            tables,
            |tables| json!({ "tables": tables }),
            |tables| format!("{} loaded.", count(*tables, "table")),
        );
        Ok(Exit::Success)
    }
}
