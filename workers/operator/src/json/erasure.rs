//! Of `operator erase`.

use std::collections::BTreeMap;

use shared::{schema::ChannelId, store::Places};

use super::document::document;
use crate::view;

document! {
    /// Where a channel was found, and after it was erased, where it still is.
    Erased from view::Erased {
        channel_id: ChannelId,
        counts: Places,
        found: Option<Places>,
        explained: BTreeMap<String, Places>,
        ended: bool,
        lake: bool,
        not_reached: &'static [&'static str],
    }
}
