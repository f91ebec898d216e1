//! What can be wrong with settings.

use std::{io, path::PathBuf};

use crate::failure::Failure;

/// Exit code of a program whose settings cannot be used: `EX_CONFIG` of sysexits(3).
pub const EXIT_CONFIG: u8 = 78;

/// A setting that cannot be used. Says which, what is wrong and what to do; never shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither the variable nor its file is given.
    #[error("{name} is not set: set it, or let {name}_FILE name a file that holds it")]
    Missing {
        /// The variable.
        name: String,
    },
    /// Both are given, and nobody can say which one is meant.
    #[error("both {name} and {name}_FILE are set: keep one")]
    Twice {
        /// The variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("{name}_FILE names {path}, which cannot be read: {source}")]
    Unreadable {
        /// The variable.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The value is not of the form it must have. `why` does not show the value.
    #[error("{name} cannot be used: {why}")]
    Unusable {
        /// The variable.
        name: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// A setting that is no secret has a value it cannot have.
    #[error("{name} cannot be {value} ({origin}): {why}; --help tells what it may be")]
    Value {
        /// The variable.
        name: String,
        /// The value, where it may be shown.
        value: String,
        /// The flag, or the environment.
        origin: String,
        /// What is wrong.
        why: String,
    },
}

/// Why a worker could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something else went wrong.
    #[error(transparent)]
    Failure(#[from] Failure),
}
