//! `operator redshift load`.

use clap::Args;
use serde_json::json;
use shared::{config, lake::redshift::Redshift, store::run_script};

use super::target::{Day, Target};
use crate::{context::Context, error::Error, exit::Exit, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"tables": 4}"#;

/// Load a day into Redshift: what `operator redshift copy` prints, carried out
///
/// Harmless to repeat: the day's pulls take the place of what is there of them. The tables must be there (`operator redshift ddl`).
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
        let manifests = self.day.manifests(&context.ready_store().await?).await?;
        run_script(&url, &Redshift::from(self.target).load(&manifests)).await?;
        let tables = manifests.len();
        context.output.result(
            tables,
            |tables| json!({ "tables": tables }),
            |tables| format!("{} loaded.", count(*tables, "table")),
        );
        Ok(Exit::Success)
    }
}
