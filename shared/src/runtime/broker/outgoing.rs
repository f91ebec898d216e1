//! Messages on their way out, and which of them the broker has.

use std::collections::HashSet;

use lapin::{BasicProperties, Confirmation, message::BasicReturnMessage, types::ShortString};

use super::publish_error::PublishError;
use crate::metrics;

/// A message on its way out.
#[derive(Debug, Clone)]
pub(in crate::runtime) struct Outgoing {
    pub(in crate::runtime) exchange: String,
    pub(in crate::runtime) key: String,
    /// Whether it is an error that no queue takes it.
    pub(in crate::runtime) mandatory: bool,
    pub(in crate::runtime) properties: BasicProperties,
    pub(in crate::runtime) body: Vec<u8>,
}

impl Outgoing {
    pub(super) fn destination(&self) -> &str {
        if self.exchange.is_empty() { &self.key } else { &self.exchange }
    }
}

/// The messages of a batch that are not out, and why the first of them is not. Only a plain acknowledgement is one. A
/// returned message may hang on a neighbour's confirmation, so it is told by its own id, where it has one.
pub(super) fn unconfirmed(
    batch: Vec<Outgoing>,
    confirmations: Vec<Confirmation>,
) -> (Vec<Outgoing>, Option<PublishError>) {
    let id = |properties: &BasicProperties| properties.message_id().clone();
    let returned: HashSet<ShortString> = confirmations
        .iter()
        .filter_map(|confirmation| match confirmation {
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                id(&returned.delivery.properties)
            }
            _ => None,
        })
        .collect();
    let mut error = None;
    let mut left = Vec::new();
    for (message, confirmation) in batch.into_iter().zip(confirmations) {
        let own = id(&message.properties);
        let trouble = match confirmation {
            Confirmation::Ack(Some(other)) if own.is_none() => Some(unroutable(&other)),
            Confirmation::Ack(_) if own.as_ref().is_some_and(|own| returned.contains(own)) => {
                let to = format!("{}/{}", message.exchange, message.key);
                let id = own.map(|own| own.to_string()).unwrap_or_default();
                Some(PublishError::Unroutable { id, to })
            }
            Confirmation::Ack(_) => None,
            Confirmation::Nack(_) | Confirmation::NotRequested => {
                Some(PublishError::Refused(format!("{}/{}", message.exchange, message.key)))
            }
        };
        match trouble {
            None => metrics::sent(message.destination()),
            Some(trouble) => {
                error.get_or_insert(trouble);
                left.push(message);
            }
        }
    }
    (left, error)
}

fn unroutable(returned: &BasicReturnMessage) -> PublishError {
    let id = returned.delivery.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
    PublishError::Unroutable {
        id,
        to: format!("{}/{}", returned.delivery.exchange, returned.delivery.routing_key),
    }
}
