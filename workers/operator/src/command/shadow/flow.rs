//! `operator shadow flow`.

use std::{fs, path::PathBuf};

use clap::Args;

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    shadow::{map, read},
    view,
};

/// What a program reads.
const JSON: &str = r#"JSON: {"settings": [{"name", "value", "component", "property"}], "secrets": [{"component", "property", "setting"}]}"#;

/// Read an exported NiFi flow: the settings to take over, and where secrets are written out
///
/// Reads a template, flow.xml or a flow definition (JSON). Connects to nothing. Secrets are named and never shown; exits with 1 where
/// there are any, because whoever has the export has them: revoke them at Twitch.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Flow {
    /// The export
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Flow {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Error> {
        let file = self.file.display();
        let text = fs::read_to_string(&self.file)
            .map_err(|error| Error::Failed(format!("{file} cannot be read: {error}")))?;
        let components =
            read(&text).map_err(|wrong| Error::Failed(format!("{file} cannot be used: {wrong}")))?;
        let findings = map(&components);
        let exit = if findings.secrets.is_empty() { Exit::Success } else { Exit::Failed };
        context.output.result(findings, json::LegacyFlow::from, view::legacy_flow);
        Ok(exit)
    }
}
