//! Why a command failed, in one line: what went wrong, and what to do.

use shared::{
    config::ConfigError,
    failure::{Class, Failure},
    schema::PullId,
    store,
    view::{advice, describe_failure},
};

use crate::exit::Exit;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store, or the broker.
    #[error("{}{}", describe_failure(.failure), advice(.failure))]
    Failure {
        /// What went wrong.
        #[from]
        failure: Failure,
    },
    /// `latest`, and there is none.
    #[error("there is no pull yet: `operator pull` requests one")]
    NoPulls,
    /// The request is in the database, but the broker did not accept it.
    #[error(
        "pull {pull} is recorded but was not announced ({}): the finalizer announces it within minutes once RabbitMQ \
         is back; `operator wait {pull}` follows it",
        describe_failure(.failure)
    )]
    Unannounced {
        /// The pull.
        pull: PullId,
        /// What went wrong.
        failure: Failure,
    },
    /// The command line cannot be used as it is.
    #[error("{0}")]
    Usage(String),
    /// What was asked for was not found, or cannot be done.
    #[error("{0}")]
    Failed(String),
    /// The async runtime cannot start.
    #[error("the operator cannot start: {0}")]
    Runtime(std::io::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Url(why) => {
                Self::Config(ConfigError::Unusable { name: "DATABASE_URL".into(), why })
            }
            error => Failure::from(error).into(),
        }
    }
}

impl Error {
    /// What went wrong outside this command, where that is why.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failure { failure } | Self::Unannounced { failure, .. } => Some(failure),
            Self::Config(_) | Self::NoPulls | Self::Usage(_) | Self::Failed(_) | Self::Runtime(_) => None,
        }
    }

    /// The exit code that says the same.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Failure { failure } if failure.code == "broker.setup" => Exit::Config,
            Self::Failure { failure } if failure.class == Class::Outage => Exit::Unavailable,
            Self::Unannounced { .. } => Exit::Unavailable,
            Self::Usage(_) => Exit::Usage,
            Self::Failure { .. } | Self::NoPulls | Self::Failed(_) | Self::Runtime(_) => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_mentioned_once() {
        let mut failure = Failure::permanent("store.unreachable", "PostgreSQL cannot be reached");
        failure.causes = ["connecting: refused", "refused", "os error 111"].map(str::to_owned).to_vec();
        assert_eq!(
            Error::from(failure).to_string(),
            "PostgreSQL cannot be reached: connecting: refused: os error 111 \
             (is PostgreSQL running, and is DATABASE_URL right?)"
        );
    }

    #[test]
    fn each_error_has_its_exit_code() {
        let outage = Failure::new(Class::Outage, "store.unreachable", "PostgreSQL cannot be reached");
        let refused = |code| Failure::new(Class::Outage, code, "it was reached, but refused");
        let cases: [(Error, u8, &str); 8] = [
            (ConfigError::Missing { name: "AMQP_URL".into() }.into(), 78, "AMQP_URL is not set"),
            (Failure::permanent("broker.setup", "AMQP_URL is not an AMQP URL").into(), 78, "AMQP_URL"),
            (outage.clone().into(), 69, "is PostgreSQL running"),
            (refused("store.login_refused").into(), 69, "user, password and database"),
            (refused("broker.login_refused").into(), 69, "virtual host"),
            (store::Error::NoPull(PullId(9)).into(), 1, "there is no pull 9: `operator pulls`"),
            (Error::NoPulls, 1, "operator pull"),
            (Error::Unannounced { pull: PullId(9), failure: outage }, 69, "operator wait 9"),
        ];
        for (error, code, words) in cases {
            assert_eq!(error.exit().code(), code, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
