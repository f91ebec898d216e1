//! The lake: what is exported can be read, once, by whom it is for.

mod duckdb;
mod export;
mod facts;
