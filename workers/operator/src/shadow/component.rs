//! What is of interest in an exported flow.

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
