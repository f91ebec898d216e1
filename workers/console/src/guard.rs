//! Who is answered, what may be asked of them, and what a browser may do with the answer.

use std::net::IpAddr;

use axum::{
    http::{
        HeaderMap, HeaderName, Method, StatusCode,
        header::{ALLOW, HOST, ORIGIN, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Redirect, Response},
};
use url::{Url, form_urlencoded};

use crate::access::{Access, Proxies};

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

/// Where a person logs in.
pub(crate) const LOGIN: &str = "/login";
/// Says from where a browser was led here: <https://www.w3.org/TR/fetch-metadata/>.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whose requests are answered.
pub(crate) struct Guard {
    hosts: Vec<String>,
    access: Option<Access>,
    proxies: Proxies,
    actions: bool,
}

/// Somebody who is answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visitor {
    /// Who it is, where that is known: only then may they act.
    pub(crate) user: Option<String>,
}

impl Guard {
    /// Under these names beside those of this machine; only with the token where there is one, or through a proxy that says who it
    /// is; with actions or without.
    pub(crate) fn new(hosts: &[String], access: Option<Access>, proxies: Proxies, actions: bool) -> Self {
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { hosts, access, proxies, actions }
    }

    /// Whether people may act.
    pub(crate) const fn allows_actions(&self) -> bool {
        self.actions
    }

    /// What the token is checked with, where people log in.
    pub(crate) const fn access(&self) -> Option<&Access> {
        self.access.as_ref()
    }

    /// Who asks, or why that is not answered. `now` is in seconds since 1970.
    pub(crate) async fn admit(
        &self,
        method: &Method,
        address: &str,
        headers: &HeaderMap,
        peer: IpAddr,
        now: i64,
    ) -> Result<Visitor, Response> {
        if !self.knows_host(headers) {
            let words = "The console does not answer under this host name: add it to CONSOLE_HOSTS.\n";
            return Err((StatusCode::FORBIDDEN, words).into_response());
        }
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if !reads && !self.actions {
            let words = "The console is read-only: it answers GET and HEAD, and changes nothing.\n";
            return Err((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")], words).into_response());
        }
        if !reads && *method != Method::POST {
            let words = "The console answers GET, HEAD and POST.\n";
            return Err((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD, POST")], words).into_response());
        }
        if !reads && !is_our_own(headers) {
            let words = "This did not come from a page of the console, so nothing was changed. Over plain http, a browser can act \
                         on the console's own machine only.\n";
            return Err((StatusCode::FORBIDDEN, words).into_response());
        }
        let user = self.proxies.user(headers, peer);
        let user = user.or_else(|| self.access.as_ref()?.user(headers, now));
        let path = address.split('?').next().unwrap_or_default();
        if user.is_some() || path.starts_with("/assets/") || (self.actions && path == LOGIN) {
            return Ok(Visitor { user });
        }
        match &self.access {
            Some(access) if reads && access.admits(headers).await => Ok(Visitor::default()),
            Some(_)
                if self.actions
                    && reads
                    && !address.starts_with("/live")
                    && path.strip_suffix(".json").is_none() =>
            {
                let next: String = form_urlencoded::byte_serialize(address.as_bytes()).collect();
                Err(Redirect::to(&format!("{LOGIN}?next={next}")).into_response())
            }
            Some(_) => {
                let ask = "Basic realm=\"console: the token is the password\", charset=\"UTF-8\"";
                let words = "The console wants its token: any user name, the token as password.\n";
                Err((StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, ask)], words).into_response())
            }
            None if self.proxies.trusted.is_empty() => Ok(Visitor::default()),
            None => {
                let words = "The console answers whom its proxy names (TRUSTED_PROXY, USER_HEADER).\n";
                Err((StatusCode::FORBIDDEN, words).into_response())
            }
        }
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

/// Whether a request that changes something comes from a page of ours, or from nobody's: as Go 1.25 tells it
/// (<https://pkg.go.dev/net/http#CrossOriginProtection>), but that who says nothing is refused, because a cookie says nothing about it.
fn is_our_own(headers: &HeaderMap) -> bool {
    let only = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
            _ => Err(()),
        }
    };
    match (only(&FETCH_SITE), only(&ORIGIN), only(&HOST)) {
        (Ok(Some(site)), Ok(_), Ok(_)) => matches!(site, "same-origin" | "none"),
        (Ok(None), Ok(Some(origin)), Ok(Some(host))) => {
            let origin = Url::parse(origin).ok().filter(|origin| matches!(origin.scheme(), "http" | "https"));
            let Some(origin) = origin else { return false };
            let own = Url::parse(&format!("{}://{host}", origin.scheme()));
            own.is_ok_and(|own| own.origin() == origin.origin())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_may_change_something() {
        let asks = |headers: &[(&'static str, &str)]| {
            let headers =
                headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            is_our_own(&headers.collect())
        };
        let host = ("host", "localhost:8400");
        assert!(asks(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(asks(&[host, ("sec-fetch-site", "none")]));
        assert!(
            asks(&[host, ("sec-fetch-site", "same-origin"), ("origin", "null")]),
            "our pages send no referrer"
        );
        assert!(asks(&[host, ("origin", "http://localhost:8400")]));
        for forged in [
            &[host][..],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site")],
            &[host, ("sec-fetch-site", "")],
            &[host, ("sec-fetch-site", "cross-site"), ("origin", "http://localhost:8400")],
            &[host, ("origin", "null")],
            &[host, ("origin", "http://localhost:8401")],
            &[host, ("origin", "http://localhost:8400.evil.example")],
            &[host, ("origin", "file://localhost:8400")],
            &[("origin", "http://localhost:8400")],
        ] {
            assert!(!asks(forged), "{forged:?}");
        }
    }

    #[test]
    fn only_known_hosts_are_answered() {
        let guard = Guard::new(&["Console.example".to_owned()], None, Proxies::default(), false);
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
