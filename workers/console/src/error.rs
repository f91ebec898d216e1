//! Why a page cannot be shown, in words.

use axum::http::StatusCode;
use shared::{
    failure::{Class, Failure},
    store,
    view::{advice, describe_failure},
};

/// Why a page cannot be shown.
#[derive(Debug)]
pub(crate) enum Error {
    /// There is no such page, pull, chunk, group or dead letter.
    NotFound(String),
    /// A filter or a number in the address cannot be used.
    BadRequest(String),
    /// PostgreSQL is unavailable, or does not answer.
    Unavailable(String),
    /// Something else went wrong, which a log line tells.
    Failed(String),
}

impl Error {
    /// The HTTP status that says the same.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The same in words.
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::NotFound(words)
            | Self::BadRequest(words)
            | Self::Unavailable(words)
            | Self::Failed(words) => words,
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        if let store::Error::NoPull(_) | store::Error::NoChunk(_) = error {
            return Self::NotFound(error.to_string());
        }
        let failure = Failure::from(error);
        let words = format!("{}{}", describe_failure(&failure), advice(&failure));
        if failure.class == Class::Outage || failure.class == Class::Transient {
            return Self::Unavailable(words);
        }
        tracing::error!(code = failure.code, "a page cannot be shown: {failure}");
        Self::Failed(words)
    }
}
