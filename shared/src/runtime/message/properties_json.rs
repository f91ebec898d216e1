//! AMQP properties as JSON, and back without a loss: a dead letter can be archived and brought back as it was.
//!
//! Headers of the common types are plain JSON, so that they can be read and searched: texts, whole numbers of 64 bits,
//! booleans, arrays. Every other is written as `{"type": …, "value": …}`. Texts PostgreSQL cannot hold (U+0000, bytes
//! that are no UTF-8) are `{"type": "bytes", "value": base64}`.

use base64::{Engine, engine::general_purpose::STANDARD};
use lapin::{
    BasicProperties,
    types::{AMQPValue, DecimalValue, FieldArray, FieldTable, LongString, ShortString},
};
use serde_json::{Map, Value, json};

/// Why JSON is not a message's properties, in words.
type Wrong = String;

/// The properties as JSON; those that are not there are left out.
pub(in crate::runtime) fn to_json(properties: &BasicProperties) -> Value {
    let mut json = Map::new();
    macro_rules! texts {
        ($($name:literal: $get:ident),*) => {$(
            if let Some(text) = properties.$get() {
                json.insert($name.into(), short(text));
            }
        )*};
    }
    texts!(
        "content_type": content_type, "content_encoding": content_encoding, "correlation_id": correlation_id,
        "reply_to": reply_to, "message_id": message_id, "type": kind, "app_id": app_id
    );
    macro_rules! numbers {
        ($($name:literal: $get:ident),*) => {$(
            if let Some(number) = properties.$get() {
                json.insert($name.into(), json!(number));
            }
        )*};
    }
    numbers!("delivery_mode": delivery_mode, "priority": priority, "timestamp": timestamp);
    if let Some(headers) = properties.headers() {
        json.insert("headers".into(), table(headers));
    }
    Value::Object(json)
}

/// The properties that such JSON tells of.
///
/// # Errors
/// What cannot be understood, in words.
pub(in crate::runtime) fn from_json(json: &Value) -> Result<BasicProperties, Wrong> {
    let json = json.as_object().ok_or("the properties are not a JSON object")?;
    let mut properties = BasicProperties::default();
    macro_rules! texts {
        ($($name:literal: $with:ident),*) => {$(
            match json.get($name) {
                None | Some(Value::Null) => {}
                Some(value) => properties = properties.$with(short_from($name, value)?),
            }
        )*};
    }
    texts!(
        "content_type": with_content_type, "content_encoding": with_content_encoding,
        "correlation_id": with_correlation_id, "reply_to": with_reply_to, "message_id": with_message_id,
        "type": with_type, "app_id": with_app_id
    );
    macro_rules! numbers {
        ($($name:literal: $with:ident),*) => {$(
            match json.get($name) {
                None | Some(Value::Null) => {}
                Some(value) => properties = properties.$with(number($name, value)?),
            }
        )*};
    }
    numbers!("delivery_mode": with_delivery_mode, "priority": with_priority, "timestamp": with_timestamp);
    match json.get("headers") {
        None | Some(Value::Null) => Ok(properties),
        Some(headers) => Ok(properties.with_headers(table_from(headers)?)),
    }
}

/// Whether such JSON can be archived, and be a message's properties again.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_properties(json: &Value) -> Result<(), String> {
    from_json(json)?;
    if json.to_string().contains("\\u0000") {
        return Err("the properties hold U+0000, which PostgreSQL cannot hold".into());
    }
    Ok(())
}

/// Makes a text one that JSON in PostgreSQL can hold.
pub(in crate::runtime) fn clean(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

fn tagged(kind: &str, value: impl Into<Value>) -> Value {
    json!({ "type": kind, "value": value.into() })
}

fn short(text: &ShortString) -> Value {
    if text.as_str().contains('\0') {
        tagged("bytes", STANDARD.encode(text.as_str()))
    } else {
        text.as_str().into()
    }
}

fn table(table: &FieldTable) -> Value {
    Value::Object(table.inner().iter().map(|(name, value)| (clean(name.as_str()), header(value))).collect())
}

fn header(header: &AMQPValue) -> Value {
    match header {
        AMQPValue::Boolean(value) => json!(value),
        AMQPValue::LongLongInt(number) => json!(number),
        AMQPValue::LongString(text) => match std::str::from_utf8(text.as_bytes()) {
            Ok(text) if !text.contains('\0') => text.into(),
            _ => tagged("bytes", STANDARD.encode(text.as_bytes())),
        },
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(self::header).collect(),
        AMQPValue::ShortString(text) => tagged("short-string", STANDARD.encode(text.as_str())),
        AMQPValue::ShortShortInt(number) => tagged("i8", *number),
        AMQPValue::ShortShortUInt(number) => tagged("u8", *number),
        AMQPValue::ShortInt(number) => tagged("i16", *number),
        AMQPValue::ShortUInt(number) => tagged("u16", *number),
        AMQPValue::LongInt(number) => tagged("i32", *number),
        AMQPValue::LongUInt(number) => tagged("u32", *number),
        AMQPValue::Timestamp(seconds) => tagged("timestamp", *seconds),
        // As bits: JSON has no infinity.
        AMQPValue::Float(number) => tagged("float", number.to_bits()),
        AMQPValue::Double(number) => tagged("double", number.to_bits()),
        AMQPValue::DecimalValue(number) => tagged("decimal", json!([number.scale, number.value])),
        AMQPValue::FieldTable(inner) => tagged("table", table(inner)),
        AMQPValue::ByteArray(bytes) => tagged("byte-array", STANDARD.encode(bytes.as_slice())),
        AMQPValue::Void => Value::Null,
    }
}

fn table_from(json: &Value) -> Result<FieldTable, Wrong> {
    let json = json.as_object().ok_or("the headers are not a JSON object")?;
    let mut table = FieldTable::default();
    for (name, value) in json {
        let key = ShortString::try_new(name.as_str())
            .map_err(|_| format!("the name of header {name:.40} is longer than 255 bytes"))?;
        table.insert(key, header_from(name, value)?);
    }
    Ok(table)
}

fn header_from(name: &str, json: &Value) -> Result<AMQPValue, Wrong> {
    Ok(match json {
        Value::Null => AMQPValue::Void,
        Value::Bool(value) => AMQPValue::Boolean(*value),
        Value::String(text) => AMQPValue::LongString(LongString::from(text.as_str())),
        Value::Number(_) => AMQPValue::LongLongInt(number(name, json)?),
        Value::Array(values) => {
            let mut array = FieldArray::default();
            for value in values {
                array.push(header_from(name, value)?);
            }
            AMQPValue::FieldArray(array)
        }
        Value::Object(object) => {
            let (Some(Value::String(kind)), Some(value)) = (object.get("type"), object.get("value")) else {
                return Err(format!("header {name} is neither plain nor {{\"type\", \"value\"}}"));
            };
            return tagged_from(name, kind, value);
        }
    })
}

fn tagged_from(name: &str, kind: &str, value: &Value) -> Result<AMQPValue, Wrong> {
    Ok(match kind {
        "bytes" => AMQPValue::LongString(LongString::from(bytes(name, value)?)),
        "byte-array" => AMQPValue::ByteArray(bytes(name, value)?.into()),
        "short-string" => {
            let text = String::from_utf8(bytes(name, value)?).map_err(|_| format!("{name} is no UTF-8"))?;
            AMQPValue::ShortString(shortened(name, text)?)
        }
        "i8" => AMQPValue::ShortShortInt(number(name, value)?),
        "u8" => AMQPValue::ShortShortUInt(number(name, value)?),
        "i16" => AMQPValue::ShortInt(number(name, value)?),
        "u16" => AMQPValue::ShortUInt(number(name, value)?),
        "i32" => AMQPValue::LongInt(number(name, value)?),
        "u32" => AMQPValue::LongUInt(number(name, value)?),
        "timestamp" => AMQPValue::Timestamp(number(name, value)?),
        "float" => AMQPValue::Float(f32::from_bits(number(name, value)?)),
        "double" => AMQPValue::Double(f64::from_bits(number(name, value)?)),
        "decimal" => {
            let part = |at: usize| value.get(at).unwrap_or(&Value::Null);
            AMQPValue::DecimalValue(DecimalValue {
                scale: number(name, part(0))?,
                value: number(name, part(1))?,
            })
        }
        "table" => AMQPValue::FieldTable(table_from(value)?),
        other => return Err(format!("{name} is of type {other:.40}, which is none")),
    })
}

fn short_from(name: &str, json: &Value) -> Result<ShortString, Wrong> {
    match json {
        Value::String(text) => shortened(name, text.clone()),
        Value::Object(object) => {
            let text = bytes(name, object.get("value").unwrap_or(&Value::Null))?;
            shortened(name, String::from_utf8(text).map_err(|_| format!("{name} is no UTF-8"))?)
        }
        _ => Err(format!("{name} is not a text")),
    }
}

fn shortened(name: &str, text: String) -> Result<ShortString, Wrong> {
    ShortString::try_new(text).map_err(|_| format!("{name} is longer than 255 bytes"))
}

fn bytes(name: &str, json: &Value) -> Result<Vec<u8>, Wrong> {
    let text = json.as_str().ok_or_else(|| format!("{name} is not a text"))?;
    STANDARD.decode(text).map_err(|error| format!("{name} is not base64: {error}"))
}

fn number<T: TryFrom<i64> + TryFrom<u64>>(name: &str, json: &Value) -> Result<T, Wrong> {
    let found = match (json.as_u64(), json.as_i64()) {
        (Some(number), _) => T::try_from(number).ok(),
        (None, Some(number)) => T::try_from(number).ok(),
        (None, None) => None,
    };
    found.ok_or_else(|| format!("{name} is {json}, which is no number of its type"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_come_back_as_they_were() {
        let mut inner = FieldTable::default();
        inner.insert("time".into(), AMQPValue::Timestamp(1_800_000_000));
        let mut array = FieldArray::default();
        array.push(AMQPValue::FieldTable(inner));
        let values = [
            AMQPValue::Boolean(true),
            AMQPValue::ShortShortInt(-1),
            AMQPValue::ShortShortUInt(200),
            AMQPValue::ShortInt(-300),
            AMQPValue::ShortUInt(60_000),
            AMQPValue::LongInt(-7),
            AMQPValue::LongUInt(7),
            AMQPValue::LongLongInt(i64::MIN),
            AMQPValue::Float(1.5),
            AMQPValue::Double(f64::INFINITY),
            AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 314 }),
            AMQPValue::ShortString("short".into()),
            AMQPValue::LongString("long ż".into()),
            AMQPValue::LongString(LongString::from(vec![0xff, 0])),
            AMQPValue::LongString("nul \0".into()),
            AMQPValue::FieldArray(array),
            AMQPValue::Timestamp(u64::MAX),
            AMQPValue::ByteArray(vec![0, 1, 2].into()),
            AMQPValue::Void,
        ];
        let mut headers = FieldTable::default();
        for (n, value) in values.into_iter().enumerate() {
            headers.insert(format!("header-{n}").into(), value);
        }
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_message_id("nul \0 in an id".into())
            .with_delivery_mode(2)
            .with_priority(3)
            .with_timestamp(1_800_000_000)
            .with_type("chunk-stored".into())
            .with_headers(headers);
        let json = to_json(&properties);
        assert!(!json.to_string().contains("\\u0000"), "PostgreSQL could not hold it: {json}");
        assert_eq!(from_json(&json), Ok(properties));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            (json!([]), "not a JSON object"),
            (json!({"message_id": "x".repeat(256)}), "message_id is longer"),
            (json!({"priority": 300}), "priority is 300"),
            (json!({"headers": {"a": {"type": "i8", "value": 200}}}), "a is 200"),
            (json!({"headers": {"a": {"type": "bytes", "value": "?"}}}), "a is not base64"),
            (json!({"headers": {"a": {"type": "x", "value": 1}}}), "which is none"),
            (json!({"headers": {"a": {}}}), "neither plain"),
        ];
        for (json, words) in cases {
            let wrong = from_json(&json).unwrap_err();
            assert!(wrong.contains(words), "{wrong}");
        }
    }
}
