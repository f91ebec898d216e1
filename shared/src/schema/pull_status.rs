//! Where a pull stands, and how its fetching ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a pull stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PullStatus {
    /// Asked for; its pages are being fetched.
    Pending,
    /// All pages are stored; some chunk still lacks games.
    FillingGames,
    /// All games are filled; some chunk still lacks channels, or is not merged.
    FillingChannels,
    /// Every chunk is merged.
    Success,
    /// It could not be finished; `error` says why. A replay may bring it back.
    Failed,
}

impl PullStatus {
    /// The name used in the database, on the wire and on the terminal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::FillingGames => "filling-games",
            Self::FillingChannels => "filling-channels",
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will happen to the pull by itself.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Failed)
    }
}

/// Why a pull stopped fetching pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Twitch said there are no more pages.
    End,
    /// The list is sorted by viewers, and a page ended below the least we want.
    MinViewers,
    /// The page cap was reached.
    PageCap,
    /// The cursors lead in a circle or nowhere.
    CursorLoop,
    /// It could not go on; `error` says why.
    Error,
    /// A person has cancelled the pull.
    Cancelled,
}

impl StopReason {
    /// The name used in the database and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::MinViewers => "min_viewers",
            Self::PageCap => "page_cap",
            Self::CursorLoop => "cursor_loop",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::End, Self::MinViewers, Self::PageCap, Self::CursorLoop, Self::Error, Self::Cancelled]
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }
}
