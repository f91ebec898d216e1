//! Who is answered, and what a browser may do with the answer.

use std::net::IpAddr;

use axum::{
    http::{
        HeaderMap, Method, StatusCode,
        header::{ALLOW, HOST, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};

use crate::access::Access;

/// Sent with every answer: nothing from elsewhere, nothing inline, in no frame, kept nowhere.
pub(crate) const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
];

/// Whose requests are answered.
pub(crate) struct Guard {
    hosts: Vec<String>,
    access: Option<Access>,
}

impl Guard {
    /// Under these names beside those of this machine, and only with the token where there is one.
    pub(crate) fn new(hosts: &[String], access: Option<Access>) -> Self {
        Self { hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(), access }
    }

    /// Why a request is not answered, if so.
    pub(crate) async fn refusal(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        if !self.knows_host(headers) {
            let words = "The console does not answer under this host name: add it to CONSOLE_HOSTS.\n";
            return Some((StatusCode::FORBIDDEN, words).into_response());
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let words = "The console is read-only: it answers GET and HEAD, and changes nothing.\n";
            return Some((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")], words).into_response());
        }
        let access = self.access.as_ref()?;
        if access.admits(headers).await {
            return None;
        }
        let ask = "Basic realm=\"console: the token is the password\", charset=\"UTF-8\"";
        let words = "The console wants its token: any user name, the token as password.\n";
        Some((StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, ask)], words).into_response())
    }

    /// A page of somebody else whose name leads here must not be able to read the answers (DNS rebinding).
    fn knows_host(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Ok(host) = host.to_str() else { return false };
        // An IPv6 address has colons of its own, and brackets around it.
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        name == "localhost" || address.is_ok_and(|ip| ip.is_loopback()) || self.hosts.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_are_answered() {
        let guard = Guard::new(&["Console.example".to_owned()], None);
        let knows = |host: &str| guard.knows_host(&HeaderMap::from_iter([(HOST, host.parse().unwrap())]));
        for host in
            ["localhost", "localhost:8400", "127.0.0.1:8400", "[::1]:8400", "[::1]", "console.example:1"]
        {
            assert!(knows(host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8400", "10.0.0.1", "", ":"]
        {
            assert!(!knows(host), "{host}");
        }
        assert!(!guard.knows_host(&HeaderMap::new()));
    }
}
