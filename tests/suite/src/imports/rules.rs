//! What may use what, and the circles that are left.

/// Which modules of `shared` each may use, beside itself. Those with none are leaves.
pub(super) const MAY_USE: [(&str, &[&str]); 21] = [
    ("failure", &[]),
    ("clock", &[]),
    ("tls", &[]),
    ("dial", &[]),
    ("version", &[]),
    ("schema", &[]),
    ("worker_state", &["failure"]),
    ("steering", &["failure", "clock"]),
    ("token_store", &["failure"]),
    ("dead_letter", &["failure"]),
    ("metrics", &["version"]),
    ("topology", &["schema"]),
    ("config", &["topology", "failure"]),
    ("helix", &["schema", "failure", "clock", "config", "token_store", "tls", "metrics", "version"]),
    (
        "store",
        &[
            "schema",
            "failure",
            "clock",
            "config",
            "token_store",
            "dead_letter",
            "tls",
            "dial",
            "version",
            "worker_state",
            "steering",
        ],
    ),
    (
        "runtime",
        &[
            "topology",
            "schema",
            "failure",
            "clock",
            "config",
            "dead_letter",
            "tls",
            "dial",
            "metrics",
            "version",
            "worker_state",
            "steering",
        ],
    ),
    ("dead_letters", &["topology", "schema", "failure", "clock", "dead_letter", "store", "runtime"]),
    ("replica", &["clock"]),
    ("pull", &["topology", "schema", "failure", "clock", "dead_letter", "store", "runtime"]),
    ("token_validation", &["helix", "runtime"]),
    (
        "enrichment",
        &[
            "topology",
            "schema",
            "failure",
            "clock",
            "config",
            "dead_letter",
            "worker_state",
            "steering",
            "helix",
            "store",
            "runtime",
            "replica",
            "pull",
            "token_validation",
        ],
    ),
];

/// The only place for each crate that speaks a protocol of its own, or that nobody looks after.
pub(super) const ONLY_IN: [(&str, &str); 8] = [
    ("lapin", "shared::runtime"),
    ("reqwest", "shared::helix"),
    ("reqwest", "shared::runtime::broker::management"),
    ("tokio_postgres", "shared::store"),
    ("deadpool", "shared::store"),
    ("deadpool_postgres", "shared::store"),
    ("sqlx", "shared::store"),
    ("backoff", "shared::runtime::retry"),
];

/// Files whose imports go in a circle, and why they do. Circles only leave this list, and files only leave their circles.
pub(super) const KNOWN_CIRCLES: [(&str, &[&str]); 3] = [
    (
        "a world carries its faults, and a scenario changes the world it is a fault of",
        &[
            "tests/fake-twitch/src/fault/defect.rs",
            "tests/fake-twitch/src/fault/mod.rs",
            "tests/fake-twitch/src/fault/scenario.rs",
            "tests/fake-twitch/src/world/generate.rs",
            "tests/fake-twitch/src/world/journal.rs",
            "tests/fake-twitch/src/world/mod.rs",
        ],
    ),
    (
        "the list of duties is in the file of what the duties share",
        &[
            "workers/finalizer/src/alarms.rs",
            "workers/finalizer/src/background.rs",
            "workers/finalizer/src/gauges.rs",
            "workers/finalizer/src/watch.rs",
        ],
    ),
    (
        "errors ask the session what they mean; being taken apart",
        &["shared/src/store/database_url.rs", "shared/src/store/error.rs", "shared/src/store/session.rs"],
    ),
];
