//! Exit codes: what a script can rely on.

use std::process::ExitCode;

use shared::config::EXIT_CONFIG;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and well.
    Success,
    /// The thing failed, is not there, or is not well.
    Failed,
    /// The command line asks for what cannot be done like that.
    Usage,
    /// It stopped by itself before its end, and says why.
    Stopped,
    /// PostgreSQL or RabbitMQ cannot be used, so nothing is known. `EX_UNAVAILABLE` of sysexits(3).
    Unavailable,
    /// A setting cannot be used.
    Config,
    /// The time given with `--timeout` is over. As timeout(1) has it.
    Timeout,
    /// Ctrl-C. As shells have it.
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
