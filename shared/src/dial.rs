//! Calling a server that has several addresses: the first that works ends the search; if none does, every cause is told,
//! the most telling one first.
//!
//! A leaf: knows neither PostgreSQL nor RabbitMQ.

use std::{error::Error, fmt, io, net::SocketAddr};

/// What was heard at an address, most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Heard {
    /// The server answered, and has no session left.
    Full,
    /// The server answered, and refuses: a wrong password, a missing database.
    Refusal,
    /// Something is there, but the conversation failed: a certificate nobody trusts, a connection cut short.
    Trouble,
    /// Nobody answers there.
    Nobody,
}

impl Heard {
    /// What an I/O error says of the other side.
    pub(crate) fn in_io(error: &io::Error) -> Self {
        use io::ErrorKind::{
            AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable, NotFound, TimedOut,
        };
        match error.kind() {
            AddrNotAvailable | ConnectionRefused | HostUnreachable | NetworkUnreachable | NotFound
            | TimedOut => Self::Nobody,
            _ => Self::Trouble,
        }
    }
}

/// A call that failed.
#[derive(Debug, Clone)]
pub(crate) struct FailedCall {
    /// Whom we called, such as `localhost (127.0.0.1:5432)`.
    pub(crate) place: String,
    pub(crate) heard: Heard,
    /// Why it failed, in the words of whoever knows. Holds no secret.
    pub(crate) cause: String,
}

/// Why no address of a server could be used: one line, the most telling cause first.
#[derive(Debug, Clone, Default)]
pub struct DialError {
    failed: Vec<FailedCall>,
}

impl DialError {
    /// Notes another failure.
    pub(crate) fn push(&mut self, call: FailedCall) {
        self.failed.push(call);
        // Stable: what is equally telling stays in the order in which it was tried.
        self.failed.sort_by_key(|call| call.heard);
    }

    /// Whether the server was reached at one address at least, and refused.
    pub(crate) fn refused(&self) -> bool {
        self.failed.first().is_some_and(|call| call.heard <= Heard::Refusal)
    }

    /// Whether that was for lack of sessions.
    pub(crate) fn full(&self) -> bool {
        self.failed.first().is_some_and(|call| call.heard == Heard::Full)
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, FailedCall { place, cause, .. }) in self.failed.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{place}: {cause}")?;
        }
        Ok(())
    }
}

impl Error for DialError {}

/// The addresses of `host`, a name or an address without brackets.
pub(crate) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, FailedCall> {
    let failed = |heard, cause| FailedCall { place: format!("{host}:{port}"), heard, cause };
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|error| failed(Heard::Trouble, format!("the name leads nowhere: {error}")))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(failed(Heard::Trouble, "the name has no address".into()));
    }
    Ok(addresses)
}

/// An address as a person knows it: with the name that led there.
pub(crate) fn place(host: &str, address: SocketAddr) -> String {
    if host.parse() == Ok(address.ip()) { address.to_string() } else { format!("{host} ({address})") }
}

/// An error and its causes, without those that only repeat what was said.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_cause_comes_first() {
        let call =
            |place: &str, heard, cause: &str| FailedCall { place: place.into(), heard, cause: cause.into() };
        let mut error = DialError::default();
        error.push(call("localhost ([::1]:5432)", Heard::Nobody, "connection refused"));
        error.push(call("localhost (127.0.0.1:5432)", Heard::Trouble, "invalid peer certificate"));
        assert!(!error.refused());
        assert_eq!(
            error.to_string(),
            "localhost (127.0.0.1:5432): invalid peer certificate; localhost ([::1]:5432): connection refused"
        );
        error.push(call("10.0.0.1:5432", Heard::Refusal, "wrong password"));
        assert!(error.refused() && error.to_string().starts_with("10.0.0.1:5432: wrong password; "));
        assert!(!error.full());
        error.push(call("10.0.0.2:5432", Heard::Full, "too many connections"));
        assert!(error.full() && error.refused());
    }

    #[test]
    fn a_place_is_named_once() {
        let six: SocketAddr = "[::1]:5432".parse().unwrap();
        assert_eq!(place("::1", six), "[::1]:5432");
        assert_eq!(place("localhost", six), "localhost ([::1]:5432)");
    }
}
