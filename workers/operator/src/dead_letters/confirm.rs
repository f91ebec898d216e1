//! Asking before something is moved.

use clap::Args;

use crate::{error::Error, output};

/// Who does it, and whether they have to be asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct Confirmation {
    /// Do not ask: for scripts, which nobody can answer for
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
        if self.yes {
            return Ok(());
        }
        match output::ask(question) {
            Some(true) => Ok(()),
            Some(false) => Err(Error::Nothing("nothing was changed".into())),
            None => Err(Error::Usage(format!(
                "{question} Nobody is at the terminal to say so: --yes says it, --dry-run only counts. Nothing was changed"
            ))),
        }
    }
}
