//! How documents are defined.

/// Defines a document by its fields; with `from`, also how it is made of a row that has these fields.
macro_rules! document {
    ($(#[$about:meta])* $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, serde::Serialize)]
        pub(crate) struct $name {
            $(pub(crate) $field: $type),+
        }
    };
    ($(#[$about:meta])* $name:ident from $row:ty { $($field:ident: $type:ty),+ $(,)? }) => {
        document! { $(#[$about])* $name { $($field: $type),+ } }

        impl From<$row> for $name {
            fn from(row: $row) -> Self {
                Self { $($field: row.$field),+ }
            }
        }
    };
}

/// Makes a document of each row.
pub(super) fn each<R, D: From<R>>(rows: Vec<R>) -> Vec<D> {
    rows.into_iter().map(D::from).collect()
}

pub(super) use document;
