//! What PostgreSQL's error codes mean for a message: whose fault it is, and whether the session goes with it.
//!
//! Only data can be a message's own fault (classes 22 and 23). All else is the server's, the deployment's or the session's
//! trouble, and passes, or is ended by a person. Source of the codes:
//! <https://www.postgresql.org/docs/17/errcodes-appendix.html>.

use tokio_postgres::error::{DbError, SqlState};

use crate::failure::Class;

/// The code of a statement that took too long.
pub(super) const TIMED_OUT: &str = "store.timeout";

/// What an error code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) class: Class,
    /// The failure's code.
    pub(super) code: &'static str,
    /// In words; PostgreSQL's own follow.
    pub(super) words: &'static str,
    /// Whether the sessions that are open may have the same trouble, and new ones may do better: whoever ends one mostly ends
    /// all, and the pool finds out about each when it is used.
    pub(super) session: bool,
}

impl Meaning {
    /// Of an error that PostgreSQL did not send.
    pub(super) const LOST: Self = Self {
        class: Class::Outage,
        code: "store.connection_lost",
        words: "the connection with PostgreSQL was lost",
        session: true,
    };

    pub(super) fn of(state: &str) -> Self {
        use Class::{Contention, Outage, Permanent};
        let means = |class, code, words| Self { class, code, words, session: false };
        let session = |code, words| Self { class: Outage, code, words, session: true };
        match state {
            "57014" => means(Outage, TIMED_OUT, "a statement took too long"),
            "55P03" => means(Contention, "store.contention", "another transaction holds what is needed"),
            "25006" => session("store.read_only", "the database is read-only"),
            "26000" | "42P05" | "0A000" => session(
                "store.session",
                "a session and its prepared statements do not fit each other: either the schema changed just now, or \
                 DATABASE_URL leads to a pooler in transaction mode, which cannot be used",
            ),
            "42501" => means(
                Outage,
                "store.denied",
                "this program's user may not do what it must: `operator migrate` grants it to the program's role",
            ),
            _ => match state.get(..2).unwrap_or_default() {
                "22" | "23" => means(Permanent, "store.refused", "the database refuses the data"),
                "40" => means(Contention, "store.contention", "another transaction was in the way"),
                "25" => session("store.session", "the session is in a state it should not be in"),
                "28" | "3D" => means(Outage, "store.login_refused", "PostgreSQL refuses the login"),
                "42" | "3F" => means(
                    Outage,
                    "store.statement",
                    "a statement and the schema do not fit each other: was something changed by hand?",
                ),
                "53" => means(Outage, "store.resources", "the database has run out of something"),
                "08" | "57" => session("store.unavailable", "the database is unavailable"),
                "58" => means(Outage, "store.unavailable", "the database is unavailable"),
                _ => means(Outage, "store.trouble", "the database is in trouble"),
            },
        }
    }
}

/// PostgreSQL's own words, with the code by which they can be looked up. Of an error about data, without the detail, which
/// quotes the row.
pub(super) fn words(error: &DbError) -> String {
    let state = error.code();
    let mut words = format!("{} (SQLSTATE {})", error.message(), state.code());
    if !state.code().starts_with("22") && !state.code().starts_with("23") {
        for more in [error.detail(), error.hint()].into_iter().flatten() {
            words = format!("{words}: {more}");
        }
    }
    if *state == SqlState::TOO_MANY_CONNECTIONS {
        words += ": raise that limit, or lower DATABASE_CONNECTIONS of the programs that share it";
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_is_the_messages_fault() {
        use Class::{Contention, Outage, Permanent};
        let cases = [
            ("22021", Permanent, "store.refused", false),
            ("22P02", Permanent, "store.refused", false),
            ("23505", Permanent, "store.refused", false),
            ("40001", Contention, "store.contention", false),
            ("40P01", Contention, "store.contention", false),
            ("55P03", Contention, "store.contention", false),
            ("57014", Outage, "store.timeout", false),
            ("25006", Outage, "store.read_only", true),
            ("25P02", Outage, "store.session", true),
            ("25P03", Outage, "store.session", true),
            ("26000", Outage, "store.session", true),
            ("42P05", Outage, "store.session", true),
            ("0A000", Outage, "store.session", true),
            ("28P01", Outage, "store.login_refused", false),
            ("28000", Outage, "store.login_refused", false),
            ("3D000", Outage, "store.login_refused", false),
            ("42501", Outage, "store.denied", false),
            ("42703", Outage, "store.statement", false),
            ("42P01", Outage, "store.statement", false),
            ("3F000", Outage, "store.statement", false),
            ("53100", Outage, "store.resources", false),
            ("53300", Outage, "store.resources", false),
            ("57P01", Outage, "store.unavailable", true),
            ("08006", Outage, "store.unavailable", true),
            ("58030", Outage, "store.unavailable", false),
            ("P0001", Outage, "store.trouble", false),
            ("XX001", Outage, "store.trouble", false),
            ("", Outage, "store.trouble", false),
        ];
        for (state, class, code, session) in cases {
            let meaning = Meaning::of(state);
            assert_eq!((meaning.class, meaning.code, meaning.session), (class, code, session), "{state}");
        }
    }
}
