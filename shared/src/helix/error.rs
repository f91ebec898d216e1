//! What can go wrong with a call, named by what it means, and the class of each.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::failure::{Class, Failure};

/// Most ids in one call, the same for `/games` and `/users`.
pub(super) const MOST_IDS: usize = 100;

/// Why a call gave nothing. Holds no secret and no URL; `message` is what the other side said, cleaned and shortened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 400: something in the request is wrong, such as one id of a batch, or a cursor.
    #[error("Twitch rejected the request to /{endpoint} (400): {message}")]
    BadRequest {
        /// The endpoint's name.
        endpoint: &'static str,
        /// What Twitch said.
        message: String,
    },
    /// 401, again with a new token.
    #[error("Twitch refuses a token at /{endpoint} that it has just given us: {message}")]
    Unauthorized {
        /// The endpoint's name.
        endpoint: &'static str,
        /// What Twitch said.
        message: String,
    },
    /// 429, or a call not made because that would have been the answer.
    #[error("the point budget is spent; there are points again in {} s", retry_after.as_secs_f64().ceil())]
    RateLimited {
        /// How long to wait at least.
        retry_after: Duration,
    },
    /// 410: the endpoint was removed from the API.
    #[error("Twitch has removed /{endpoint}: {message}")]
    Gone {
        /// The endpoint's name.
        endpoint: &'static str,
        /// What Twitch said.
        message: String,
    },
    /// 5xx.
    #[error("Twitch has trouble: {status} from /{endpoint}: {message}")]
    Server {
        /// The endpoint's name.
        endpoint: &'static str,
        /// The HTTP status.
        status: u16,
        /// What Twitch, or the network before it, said.
        message: String,
    },
    /// A status that Twitch does not document for the endpoint: often somebody in between.
    #[error("an answer that is not Twitch's: {status} from /{endpoint}: {message}")]
    Unexpected {
        /// The endpoint's name.
        endpoint: &'static str,
        /// The HTTP status.
        status: u16,
        /// What was said.
        message: String,
    },
    /// No answer: no connection, a broken one, or no answer in time.
    #[error("no answer from /{endpoint}")]
    Unreachable {
        /// The endpoint's name.
        endpoint: &'static str,
        /// What the network says, without the URL.
        source: reqwest::Error,
    },
    /// An answer that cannot be read: not JSON, not the JSON it should be, or cut off.
    #[error("the answer of /{endpoint} cannot be read")]
    Malformed {
        /// The endpoint's name.
        endpoint: &'static str,
        /// What the reader found.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An answer larger than any that Twitch gives.
    #[error("the answer of /{endpoint} is larger than {limit} bytes")]
    TooLarge {
        /// The endpoint's name.
        endpoint: &'static str,
        /// The most we read.
        limit: usize,
    },
    /// One call after another failed for a while: Twitch is in trouble, and no message is to blame.
    #[error("Twitch has been failing since {}: {calls} calls in a row; the latest: {latest}",
        since.to_rfc3339_opts(SecondsFormat::Secs, true))]
    Outage {
        /// Calls that failed in a row.
        calls: u32,
        /// When the first of them failed.
        since: DateTime<Utc>,
        /// What became of the latest.
        #[source]
        latest: Box<Error>,
    },
    /// More ids than one call may ask for; no call was made.
    #[error("{given} ids in one call to /{endpoint}, and {MOST_IDS} are the most")]
    TooManyIds {
        /// The endpoint's name.
        endpoint: &'static str,
        /// How many there were.
        given: usize,
    },
    /// There is no token; the failure says why, and is of the class that the reason has.
    #[error(transparent)]
    Token(#[from] Failure),
    /// Nobody can tell whether there is a point for the call; the failure says why.
    #[error(transparent)]
    Points(Failure),
}

impl Error {
    pub(super) fn unreachable(endpoint: &'static str, error: reqwest::Error) -> Self {
        Self::Unreachable { endpoint, source: error.without_url() }
    }

    pub(super) fn malformed(
        endpoint: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Malformed { endpoint, source: source.into() }
    }

    /// Whether Twitch called the request bad: a batch may then be cut in halves to find the id that spoils it.
    pub fn is_bad_request(&self) -> bool {
        matches!(self, Self::BadRequest { .. })
    }

    /// Whether the call had no answer that one could use, which may be Twitch's trouble as well as the call's.
    pub(super) fn is_trouble(&self) -> bool {
        matches!(
            self,
            Self::Server { .. }
                | Self::Unexpected { .. }
                | Self::Unreachable { .. }
                | Self::Malformed { .. }
                | Self::TooLarge { .. }
        )
    }

    /// Whether the very same call may well succeed at once: Twitch advises one repetition on 503
    /// (<https://dev.twitch.tv/docs/api/guide/#status-codes>), and broken connections to its CDN are sporadic.
    pub(super) fn is_fleeting(&self) -> bool {
        match self {
            Self::Server { status, .. } => *status == 503,
            Self::Unreachable { source, .. } => source.is_connect() || !source.is_timeout(),
            _ => false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (class, code) = match &error {
            Error::BadRequest { .. } => (Class::Permanent, "helix.bad_request"),
            Error::Unauthorized { .. } => (Class::Auth, "helix.unauthorized"),
            Error::RateLimited { .. } => (Class::RateLimited, "helix.rate_limited"),
            Error::Gone { .. } => (Class::Permanent, "helix.gone"),
            Error::Server { .. } => (Class::Transient, "helix.server_error"),
            Error::Unexpected { .. } => (Class::Transient, "helix.unexpected_status"),
            Error::Unreachable { .. } => (Class::Transient, "helix.unreachable"),
            Error::Malformed { .. } => (Class::Transient, "helix.malformed"),
            Error::TooLarge { .. } => (Class::Transient, "helix.too_large"),
            Error::Outage { .. } => (Class::Outage, "helix.outage"),
            Error::TooManyIds { .. } => (Class::Permanent, "helix.too_many_ids"),
            Error::Token(failure) | Error::Points(failure) => return failure.clone(),
        };
        let failure = Self::of(class, code, &error);
        match error {
            Error::RateLimited { retry_after } => failure.after(retry_after),
            _ => failure,
        }
    }
}
