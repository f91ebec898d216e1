//! The lake: what is exported can be read, once, by whom it is for.

mod bucket;
mod compaction;
mod crates;
mod dictionary;
mod duckdb;
mod export;
mod facts;
mod redshift;
mod rights;
mod trouble;
mod upkeep;
