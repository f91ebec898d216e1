//! `operator redshift …`: the lake in Amazon Redshift.

mod copy;
mod ddl;
mod dispatch;
mod load;
mod target;

pub(crate) use dispatch::Redshift;
