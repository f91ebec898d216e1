//! Asking before something is moved.

use clap::Args;

use crate::{error::Error, output};

/// Who does it, and whether they have to be asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct Confirmation {
    /// Skip confirmation (for scripts)
    #[arg(long, short)]
    yes: bool,
    /// Who does it, for the record
    #[arg(long, value_name = "WHO", env = "USER", hide_env_values = true, default_value = "operator")]
    pub(crate) by: String,
}

impl Confirmation {
    /// Asks whether to do what `question` says.
    ///
    /// # Errors
    /// When the answer is no, and where nobody can be asked.
    pub(crate) fn ask(&self, question: &str) -> Result<(), Error> {
        self.ask_or(question, "pass --yes to confirm")
    }

    /// The same, of a command that has `--dry-run`.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn ask_or_preview(&self, question: &str) -> Result<(), Error> {
        self.ask_or(question, "pass --yes to confirm, or --dry-run to preview")
    }

    fn ask_or(&self, question: &str, way_out: &str) -> Result<(), Error> {
        if self.yes {
            return Ok(());
        }
        match output::ask(question) {
            Some(true) => Ok(()),
            Some(false) => Err(Error::Nothing("nothing was changed".into())),
            None => Err(Error::Usage(format!("{question} Not a terminal: {way_out}. Nothing was changed"))),
        }
    }
}
