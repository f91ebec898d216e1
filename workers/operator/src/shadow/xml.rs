//! Templates, and `flow.xml`.

use roxmltree::{Document, Node};

use super::component::{Component, Property};

/// Every element that has properties or variables, in either form: `<entry><key/><value/></entry>` of a template, or
/// `<property><name/><value/></property>` of `flow.xml`.
pub(super) fn read(text: &str) -> Result<Vec<Component>, String> {
    let document =
        Document::parse(text).map_err(|error| format!("it is no XML (line {})", error.pos().row))?;
    Ok(document.descendants().filter_map(component).collect())
}

fn component(node: Node<'_, '_>) -> Option<Component> {
    // In a template a processor has them one level deeper.
    let config = child(node, "config").unwrap_or(node);
    let name = child_text(node, "name")?;
    let lists = ["properties", "variables"].into_iter().filter_map(|list| child(config, list));
    let entries = lists.flat_map(|list| list.children().filter(|entry| entry.has_tag_name("entry")));
    let direct = config.children().filter(|entry| entry.has_tag_name("property"));
    let property = |entry: Node<'_, '_>| {
        let name = child_text(entry, "key").or_else(|| child_text(entry, "name"))?;
        Some(Property { name, value: child_text(entry, "value")?, sensitive: false })
    };
    let properties: Vec<Property> = entries.chain(direct).filter_map(property).collect();
    let schedule = child_text(config, "schedulingPeriod");
    (schedule.is_some() || !properties.is_empty()).then_some(Component { name, schedule, properties })
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn child_text(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name)?.text().map(|text| text.trim().to_owned())
}
