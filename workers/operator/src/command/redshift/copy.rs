//! `operator redshift copy`.

use clap::Args;
use serde_json::json;
use shared::lake::redshift::Redshift;

use super::target::{Day, Target};
use crate::{context::Context, error::Error, exit::Exit};

/// What a program reads.
const JSON: &str = r#"JSON: {"sql": "…", "manifests": ["s3://…", …]}"#;

/// Print the statements that load a day: COPY into staging tables, then delete and insert, in one transaction
///
/// The manifests are in the storage: the exporter writes one to each folder.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Copy {
    #[command(flatten)]
    day: Day,
    #[command(flatten)]
    target: Target,
}

impl Copy {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let manifests = self.day.manifests(&context.ready_store().await?).await?;
        let sql = Redshift::from(self.target).load(&manifests).script();
        let urls: Vec<String> = manifests.into_iter().flat_map(|(_, urls)| urls).collect();
        context.output.result(
            (sql, urls),
            |(sql, urls)| json!({ "sql": sql, "manifests": urls }),
            |(sql, _)| sql.clone(),
        );
        Ok(Exit::Success)
    }
}
