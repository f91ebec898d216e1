//! Flow definitions, and `flow.json`.

use serde_json::{Map, Value};

use super::component::{Component, Property};

/// Every object with properties, parameters or variables, however deep.
pub(super) fn read(text: &str) -> Result<Vec<Component>, String> {
    let flow: Value =
        serde_json::from_str(text).map_err(|error| format!("it is no JSON (line {})", error.line()))?;
    let mut components = Vec::new();
    walk(&flow, &mut components);
    Ok(components)
}

fn walk(value: &Value, components: &mut Vec<Component>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| walk(value, components)),
        Value::Object(members) => {
            components.extend(component(members));
            members.values().for_each(|value| walk(value, components));
        }
        _ => {}
    }
}

fn component(members: &Map<String, Value>) -> Option<Component> {
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut properties = Vec::new();
    for list in ["properties", "variables"] {
        for (name, value) in members.get(list).and_then(Value::as_object).into_iter().flatten() {
            if let Some(value) = value.as_str() {
                properties.push(Property { name: name.clone(), value: value.to_owned(), sensitive: false });
            }
        }
    }
    for parameter in members.get("parameters").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| parameter.get(name).and_then(Value::as_str);
        if let (Some(name), Some(value)) = (text("name"), text("value")) {
            let sensitive = parameter.get("sensitive").and_then(Value::as_bool).unwrap_or(false);
            properties.push(Property { name: name.to_owned(), value: value.to_owned(), sensitive });
        }
    }
    let schedule = text("schedulingPeriod");
    (schedule.is_some() || !properties.is_empty()).then(|| Component {
        name: text("name").unwrap_or_default(),
        schedule,
        properties,
    })
}
