//! A call: who asks what, and what shall go wrong with it.

use std::time::Duration;

use super::reply::{Fate, JSON, Reply};
use super::{Endpoint, Query, Twitch};
use crate::fault::Effect;
use crate::lock::lock;

/// A call that has been counted.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    /// On its endpoint, from 1.
    pub(crate) number: u64,
    pub(crate) query: Query,
    effects: Vec<Effect>,
}

impl Call {
    /// Counts the call and looks up what shall go wrong.
    pub(crate) fn new(twitch: &Twitch, endpoint: Endpoint, query: Query) -> Self {
        let lists = match endpoint {
            Endpoint::Streams => ["user_id", "game_id"],
            _ => ["id", "igdb_id"],
        };
        let number = lock(&twitch.tally).call(endpoint, lists.into_iter().flat_map(|list| query.all(list)));
        let effects = twitch.world.faults.due(endpoint, &query);
        Self { endpoint, number, query, effects }
    }

    pub(crate) fn has(&self, effect: &Effect) -> bool {
        self.effects.contains(effect)
    }

    /// The first value an effect of this kind has.
    pub(crate) fn find<T>(&self, pick: impl Fn(&Effect) -> Option<T>) -> Option<T> {
        self.effects.iter().find_map(pick)
    }

    /// Lets pass what the answer takes.
    pub(crate) async fn delay(&self, twitch: &Twitch) {
        let slow = self.find(|effect| match effect {
            Effect::Slow { millis } => Some(Duration::from_millis(*millis)),
            _ => None,
        });
        let delay = twitch.settings.latency.at(self.endpoint) + slow.unwrap_or_default();
        // Even a sleep of nothing takes until the timer's next millisecond.
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// What comes in place of the answer, if something does.
    pub(crate) fn instead(&self) -> Option<Reply> {
        self.find(|effect| match effect {
            Effect::Status { code, message } => Some(self.error(*code, message)),
            Effect::Html { code } => Some(Reply::html(*code)),
            Effect::BadId { code: 400, .. } => {
                Some(self.error(400, "The ID in the id query parameter is not valid."))
            }
            Effect::BadId { code, .. } => Some(self.error(*code, "")),
            Effect::InvalidCursor => Some(Reply::error(400, "Invalid cursor.")),
            _ => None,
        })
    }

    fn error(&self, code: u16, message: &str) -> Reply {
        if self.endpoint.is_helix() { Reply::error(code, message) } else { Reply::oauth_error(code, message) }
    }

    /// Damages a finished reply.
    pub(crate) fn damage(&self, mut reply: Reply) -> Reply {
        for effect in &self.effects {
            match effect {
                Effect::Malformed if reply.kind == JSON => {
                    if let Some(colon) = reply.body.iter().position(|&byte| byte == b':') {
                        reply.body[colon] = b'=';
                    }
                }
                Effect::Field { name, value, item } if reply.status.is_success() => {
                    reply.set(name, value.as_ref(), *item);
                }
                Effect::CutJson => reply.body.truncate(reply.body.len() / 2),
                Effect::CutOff => reply.fate = Fate::CutOff,
                Effect::NoReply => reply.fate = Fate::Nothing,
                _ => {}
            }
        }
        reply
    }
}
