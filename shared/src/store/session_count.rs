//! How many sessions with PostgreSQL the programs open: one count for the preflight and for the handbook.

/// The most sessions of each program beside `DATABASE_CONNECTIONS`: one to hear of orders, the extractor's to hear of operations,
/// the finalizer's two for retention, and an operator's to hear of the operation it has ordered.
const BESIDE_THE_POOL: [(&str, u16); 7] = [
    ("extractor", 2),
    ("game-enricher", 1),
    ("channel-enricher", 1),
    ("finalizer", 3),
    ("exporter", 1),
    ("console", 0),
    ("operator", 1),
];

/// The most sessions of one process of each program, by its name, with `connections` to a pool.
pub fn most_sessions(connections: u16) -> impl Iterator<Item = (&'static str, u16)> {
    BESIDE_THE_POOL.into_iter().map(move |(program, beside)| (program, connections + beside))
}
