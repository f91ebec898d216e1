//! The endpoints there are.

use serde::{Deserialize, Serialize};

/// An endpoint of Helix or of the token server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// `GET streams`
    Streams,
    /// `GET games`
    Games,
    /// `GET games/top`
    GamesTop,
    /// `GET users`
    Users,
    /// `POST /oauth2/token`
    Token,
    /// `GET /oauth2/validate`
    Validate,
}

impl Endpoint {
    /// The Helix endpoint at this path below the API's base.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "streams" => Some(Self::Streams),
            "games" => Some(Self::Games),
            "games/top" => Some(Self::GamesTop),
            "users" => Some(Self::Users),
            _ => None,
        }
    }

    /// Whether this is an endpoint of the API rather than of the token server.
    pub fn is_helix(self) -> bool {
        !matches!(self, Self::Token | Self::Validate)
    }

    pub(crate) fn is_paged(self) -> bool {
        matches!(self, Self::Streams | Self::GamesTop)
    }
}
