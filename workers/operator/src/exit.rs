//! Exit codes: what a script can rely on.

use std::process::ExitCode;

use shared::config::EXIT_CONFIG;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or all is well.
    Success,
    /// Failed, not found, or not well.
    Failed,
    /// Wrong command line, or confirmation needed without a terminal.
    Usage,
    /// A canary replay stopped by itself.
    Stopped,
    /// PostgreSQL or RabbitMQ is unavailable. `EX_UNAVAILABLE` of sysexits(3).
    Unavailable,
    /// A setting cannot be used.
    Config,
    /// `--timeout` expired; the code of timeout(1).
    Timeout,
    /// Ctrl-C; the code shells use.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Stopped => 3,
            Self::Unavailable => 69,
            Self::Config => EXIT_CONFIG,
            Self::Timeout => 124,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
