//! Asking a person before something is changed.

use clap::Args;

use crate::{error::Error, output};

/// Who runs the command, and whether to ask first.
#[derive(Debug, Clone, Args)]
pub(crate) struct Confirmation {
    /// Skip confirmation (for scripts)
    #[arg(long, short)]
    yes: bool,
    /// Who runs it, for the record
    #[arg(long, value_name = "WHO", env = "USER", hide_env_values = true, default_value = "operator")]
    pub(super) by: String,
}

impl Confirmation {
    /// Whether nobody has to be asked.
    pub(super) fn is_given(&self) -> bool {
        self.yes
    }

    /// Asks whether to do what `question` says.
    ///
    /// # Errors
    /// If the answer is no, or nobody can be asked.
    pub(super) fn ask(&self, question: &str) -> Result<(), Error> {
        self.ask_or(question, "pass --yes to confirm")
    }

    /// The same for a command with `--dry-run`.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(super) fn ask_or_preview(&self, question: &str) -> Result<(), Error> {
        self.ask_or(question, "pass --yes to confirm, or --dry-run to preview")
    }

    fn ask_or(&self, question: &str, hint: &str) -> Result<(), Error> {
        if self.yes {
            return Ok(());
        }
        match output::ask(question) {
            Some(true) => Ok(()),
            Some(false) => Err(Error::Failed("nothing was changed".into())),
            None => Err(Error::Usage(format!("{question} Not a terminal: {hint}. Nothing was changed"))),
        }
    }
}
