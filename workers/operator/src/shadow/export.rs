//! An exported NiFi flow: a template or `flow.xml` (XML), or a flow definition (JSON).
//!
//! Source of the forms: the exports of NiFi 1.x and 2.x, <https://nifi.apache.org/documentation/>.

use super::{component::Component, json, xml};

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
