//! The lake in Redshift: its DDL, and how a folder is loaded.
