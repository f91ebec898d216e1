//! What our sessions with PostgreSQL rely on.

/// What every session has, the migrator's too: our statements are right with these values only. Commits are durable before
/// they are told, because what is committed is acknowledged to the broker next.
pub(super) const FIXED: [(&str, &str); 2] =
    [("default_transaction_isolation", "read committed"), ("timezone", "UTC")];
pub(super) const DURABLE: &str = "set_config('synchronous_commit',
    case current_setting('synchronous_commit') when 'off' then 'local' else current_setting('synchronous_commit') end, false)";

/// What a program's session has unless the URL says otherwise.
///
/// No statement of ours needs a minute, no lock is waited for longer than a message may well wait, and no transaction is
/// left open. And our statements look rows up by key: a plan is kept as long as its session, and one made while a table is
/// nearly empty would go on reading that table from end to end when it has grown. What has no index is read so all the
/// same, only believed to be so dear that compiling the statement would seem to pay.
///
/// A statement is planned with its values, always: a plan that fits all values would plan and lock every partition there is.
pub(super) const PROGRAM: [(&str, &str); 6] = [
    ("statement_timeout", "60s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
    ("plan_cache_mode", "force_custom_plan"),
];

/// What the migrator's session has unless the URL says otherwise: a migration takes the time it takes.
pub(super) const MIGRATOR: [(&str, &str); 3] =
    [("statement_timeout", "0"), ("lock_timeout", "0"), ("idle_in_transaction_session_timeout", "0")];
