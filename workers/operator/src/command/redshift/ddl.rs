//! `operator redshift ddl`.

use clap::Args;
use serde_json::json;
use shared::lake::redshift::Redshift;

use super::target::Target;
use crate::{context::Context, exit::Exit};

/// What a program reads.
const JSON: &str = r#"JSON: {"sql": "…"}"#;

/// Print the statements that make the tables
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Ddl {
    #[command(flatten)]
    target: Target,
}

impl Ddl {
    pub(super) fn run(self, context: &Context) -> Exit {
        let sql = Redshift::from(self.target).ddl();
        context.output.result(sql, |sql| json!({ "sql": sql }), Clone::clone);
        Exit::Success
    }
}
