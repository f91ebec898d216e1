//! An exported NiFi flow: a template or `flow.xml` (XML), or a flow definition (JSON).
//!
//! Source of the forms: the exports of NiFi 1.x and 2.x, <https://nifi.apache.org/documentation/>.

use super::{json, xml};

/// Something in a flow that has properties: a processor, a controller service, a parameter context, a group's variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Component {
    /// Its name, as people gave it.
    pub(crate) name: String,
    /// When it runs: an interval, or a Quartz expression.
    pub(crate) schedule: Option<String>,
    /// Its properties.
    pub(crate) properties: Vec<Property>,
}

/// A property that has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Whether the flow itself calls it sensitive.
    pub(crate) sensitive: bool,
}

/// Reads an export.
///
/// # Errors
/// What is wrong with it, in words that show nothing of it.
pub(crate) fn read(text: &str) -> Result<Vec<Component>, String> {
    let components = if text.trim_start().starts_with('<') { xml::read(text)? } else { json::read(text)? };
    if components.is_empty() {
        return Err("it holds no processor, service or parameter: is it an exported NiFi flow?".to_owned());
    }
    Ok(components)
}
