//! What can go wrong with an answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{Endpoint, Query};

/// What goes wrong. Effects on one call act together; of those that replace the answer the first wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// An error in the endpoint's own shape, with this text, in place of the answer. The headers tell the true
    /// state of the bucket, so a 429 made this way is a false one.
    Status {
        /// The HTTP status.
        code: u16,
        /// May be empty, as Twitch's 500s are.
        message: String,
    },
    /// A page of HTML with this status, as a CDN sends it; 200 is possible.
    Html {
        /// The HTTP status.
        code: u16,
    },
    /// JSON with a typing error in it.
    Malformed,
    /// Half of the answer, ended as if it were whole.
    CutJson,
    /// Half of the answer, then the connection closes though the length announced was more.
    CutOff,
    /// The connection closes without an answer.
    NoReply,
    /// The answer comes this much later.
    Slow {
        /// How much, in milliseconds.
        millis: u64,
    },
    /// `data` is `null`; what it should have held is lost.
    NullData,
    /// Every token issued becomes invalid, before this very call.
    ExpireTokens,
    /// The bucket is emptied before this very call, which gets a true 429.
    DrainBucket,
    /// A good cursor is refused as invalid.
    InvalidCursor,
    /// The cursor leads to the page it is on.
    RepeatCursor,
    /// The cursor lacks its second half; following it gives an empty page, whose own cursor goes on.
    HalfCursor,
    /// The cursor leads back to the first page.
    WrapCursor,
    /// The last page has a cursor too, and it leads back to the first page.
    WrapLastCursor,
    /// 1 to 5 items fewer, which come on the next page.
    ShortPage,
    /// 1 to 5 items are left out and do not come again.
    LossyPage,
    /// This share of a page comes again on the next one, with the viewers they would have to fall to for that.
    RepeatStreams {
        /// Of a page, 0 to 1.
        share: f64,
    },
    /// This share of the streams about to be listed goes offline.
    Vanish {
        /// Of a page, 0 to 1.
        share: f64,
    },
    /// After the page, this share of its streams falls to the next page's audience and as many of the next page's rise
    /// above the cursor: those come again, these are missed.
    Jump {
        /// Of a page, 0 to 1.
        share: f64,
    },
    /// A field of the answer's items, or of the token server's answer, is something else.
    Field {
        /// The field.
        name: String,
        /// What it is instead; nothing where the field is missing.
        value: Option<Value>,
        /// Of which item, from 0; without one, of every item.
        item: Option<usize>,
    },
    /// A batch with this id in it is refused as a whole.
    BadId {
        /// A user's or game's id; a sound one too.
        id: String,
        /// The HTTP status.
        code: u16,
    },
}

impl Effect {
    /// Whether the effect could strike this call.
    pub(super) fn fits(&self, endpoint: Endpoint, query: &Query) -> bool {
        match self {
            Self::RepeatCursor
            | Self::HalfCursor
            | Self::WrapCursor
            | Self::WrapLastCursor
            | Self::ShortPage
            | Self::LossyPage
            | Self::RepeatStreams { .. }
            | Self::Vanish { .. }
            | Self::Jump { .. } => endpoint == Endpoint::Streams,
            Self::InvalidCursor => endpoint.is_paged() && query.one("after").is_some(),
            Self::NullData | Self::DrainBucket | Self::ExpireTokens => endpoint.is_helix(),
            Self::BadId { id, .. } => query.all("id").any(|asked| asked == id),
            Self::Status { .. }
            | Self::Html { .. }
            | Self::Malformed
            | Self::CutJson
            | Self::CutOff
            | Self::NoReply
            | Self::Field { .. }
            | Self::Slow { .. } => true,
        }
    }
}
