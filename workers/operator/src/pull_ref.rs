//! How a person names a pull.

use std::str::FromStr;

use shared::schema::PullId;

/// A pull, as named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullRef {
    /// By its number.
    Id(PullId),
    /// The newest.
    Latest,
}

impl FromStr for PullRef {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "latest" => Ok(Self::Latest),
            number => number
                .parse()
                .map(Self::Id)
                .map_err(|_| "name a pull by its number, or the newest as `latest`"),
        }
    }
}
