//! The topology as an `AsyncAPI` 3 document, for whoever listens or sends from outside this workspace.
//!
//! A channel is an exchange with a routing key, an operation is what a stage does with it, and the messages' schemas come from
//! their types. Source: <https://www.asyncapi.com/docs/reference/specification/v3.0.0>, and for AMQP
//! <https://github.com/asyncapi/bindings/tree/master/amqp>.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{DEAD_LETTERS, EVENTS, EXCHANGES, REJECTED, STAGES, WORK};
use crate::schema::{
    ChannelsFilled, ChunkStored, GamesFilled, Message, PullClosed, PullRequested, RecordsRejected,
};

/// A kind of message, its schema, and where it goes: exchange and routing keys.
struct Spoken {
    kind: &'static str,
    payload: Value,
    exchange: &'static str,
    keys: &'static [&'static str],
}

/// Every message that is published, by the topology.
fn vocabulary() -> [Spoken; 6] {
    fn spoken<M: Message>(exchange: &'static str, keys: &'static [&'static str]) -> Spoken {
        Spoken { kind: M::KIND, payload: payload::<M>(), exchange, keys }
    }
    [
        spoken::<PullRequested>(WORK, &[PullRequested::KIND]),
        spoken::<ChunkStored>(WORK, &[ChunkStored::KIND]),
        spoken::<GamesFilled>(WORK, &[GamesFilled::KIND]),
        spoken::<ChannelsFilled>(WORK, &[ChannelsFilled::KIND]),
        spoken::<RecordsRejected>(DEAD_LETTERS, &[REJECTED]),
        spoken::<PullClosed>(EVENTS, &["pull.completed", "pull.failed"]),
    ]
}

/// The schema of a message's body: its type's, with the kind and version that every body begins with.
fn payload<M: Message>() -> Value {
    let settings = SchemaSettings::draft07().for_serialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<M>().to_value();
    if let Some(body) = schema.as_object_mut() {
        let properties = body.entry("properties").or_insert_with(|| json!({}));
        properties["kind"] = json!({"const": M::KIND});
        properties["version"] = json!({"const": M::VERSION});
        let required = body.entry("required").or_insert_with(|| json!([]));
        required.as_array_mut().into_iter().for_each(|names| names.extend([json!("kind"), json!("version")]));
    }
    schema
}

/// The document.
pub fn asyncapi(version: &str) -> Value {
    let vocabulary = vocabulary();
    let (mut channels, mut messages, mut operations) = (Map::new(), Map::new(), Map::new());
    for Spoken { kind, payload, exchange, keys } in &vocabulary {
        messages.insert(
            (*kind).to_owned(),
            json!({"name": kind, "contentType": "application/json", "payload": payload}),
        );
        for key in *keys {
            let topic = EXCHANGES.iter().any(|(name, topic)| name == exchange && *topic);
            let amqp = json!({
                "is": "routingKey",
                "exchange": {
                    "name": exchange, "type": if topic { "topic" } else { "direct" }, "durable": true,
                    "autoDelete": false, "vhost": "/",
                },
                "bindingVersion": "0.3.0",
            });
            let message = json!({"$ref": format!("#/components/messages/{kind}")});
            channels.insert(
                (*key).to_owned(),
                json!({"address": key, "messages": {*kind: message}, "bindings": {"amqp": amqp}}),
            );
        }
    }
    let mut operation = |stage: &str, action: &str, kind: &str| {
        let keys = vocabulary.iter().filter(|spoken| spoken.kind == kind).flat_map(|spoken| spoken.keys);
        for key in keys {
            operations.insert(
                format!("{stage}.{action}.{key}"),
                json!({
                    "action": action,
                    "channel": {"$ref": format!("#/channels/{key}")},
                    "summary": format!("The {stage} {action}s {kind}"),
                }),
            );
        }
    };
    for stage in STAGES {
        operation(stage.name, "receive", stage.reads);
        operation(stage.name, "send", stage.announces);
    }
    operation(STAGES[0].name, "send", RecordsRejected::KIND);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "twitch-pull",
            "version": version,
            "description": "What the stages of a pull say to each other, and to whatever comes next.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_speaks_of_messages_that_are_described() {
        let document = asyncapi("0.0.0");
        for stage in STAGES {
            for kind in [stage.reads, stage.announces] {
                assert!(document["components"]["messages"][kind]["payload"].is_object(), "{kind}");
            }
            let receives = format!("{}.receive.{}", stage.name, stage.reads);
            assert_eq!(document["operations"][&receives]["action"], "receive", "{receives}");
        }
        let closed = &document["components"]["messages"]["pull-closed"]["payload"];
        assert_eq!(closed["properties"]["kind"]["const"], "pull-closed");
        assert_eq!(document["channels"]["pull.failed"]["bindings"]["amqp"]["exchange"]["type"], "topic");
    }
}
