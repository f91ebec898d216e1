//! The exchanges, and the one queue that belongs to no stage.

/// Direct exchange of the work queues; the routing key is the kind of message.
pub const WORK: &str = "work";
/// Direct exchange of the dead-letter queues; the routing key is the stage.
pub const DEAD_LETTERS: &str = "dead-letters";
/// Topic exchange for whatever comes next: `pull.completed`, `pull.failed`.
pub const EVENTS: &str = "events";
/// Classic queue of the news that records failed validation.
pub const REJECTED: &str = "streams.rejected";

/// Every exchange: its name, and whether it is a topic exchange (otherwise direct). All are durable.
pub const EXCHANGES: [(&str, bool); 3] = [(WORK, false), (DEAD_LETTERS, false), (EVENTS, true)];
