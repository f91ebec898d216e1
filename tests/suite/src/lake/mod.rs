//! The lake: what is exported can be read, once, by whom it is for.

mod bucket;
mod compaction;
mod crates;
mod dictionary;
mod duckdb;
mod erasure;
mod export;
mod facts;
mod killed;
mod locks;
mod owner;
mod races;
mod redshift;
mod rights;
mod s3;
mod snapshots;
mod sqlfluff;
mod statements;
mod storage;
mod trouble;
mod upkeep;
mod widths;
