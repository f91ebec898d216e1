//! The parts of a service's URL, which may name several hosts: `scheme://user:password@host:port,host:port/path?query`.
//!
//! The crate `url` takes one host only, so what concerns the whole is split here, once for every setting that is a URL.

/// What stands where in a URL; everything still percent-encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct UrlParts<'a> {
    pub(crate) scheme: &'a str,
    /// `user` or `user:password`, without the `@`.
    pub(crate) credentials: Option<&'a str>,
    /// One or several hosts, each perhaps with a port.
    pub(crate) hosts: &'a str,
    /// From the slash on; empty without one.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

impl<'a> UrlParts<'a> {
    /// Takes a URL apart. Fails with what is wrong and what to do, without showing any of it.
    pub(crate) fn split(text: &'a str) -> Result<Self, String> {
        let (scheme, rest) = text
            .split_once("://")
            .filter(|(scheme, _)| !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric()))
            .ok_or("it is not a URL: write scheme://user:password@host:port/name")?;
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (credentials, hosts) = authority
            .rsplit_once('@')
            .map_or((None, authority), |(credentials, hosts)| (Some(credentials), hosts));
        // Any of these ends the part with the password, or begins another; an `@` behind it shows that.
        let early_end = text.contains('#')
            || credentials.is_some_and(|credentials| credentials.contains('@'))
            || credentials.is_none()
                && (path.contains('@')
                    || query.is_some_and(|query| {
                        query.find('@').is_some_and(|at| !query.get(..at).unwrap_or_default().contains('='))
                    }));
        if early_end {
            return Err(
                "it holds a character that ends the password early: in a user or a password write # as %23, \
                        / as %2F, ? as %3F, @ as %40 and % as %25"
                    .into(),
            );
        }
        Ok(Self { scheme, credentials, hosts, path, query })
    }

    /// Each host, without the brackets of an IPv6 address, and its port where one is given.
    pub(crate) fn places(&self) -> Result<Vec<(&'a str, Option<u16>)>, String> {
        self.hosts.split(',').map(place).collect()
    }

    /// The parameters, decoded. A plus is a plus.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let query = self.query.unwrap_or_default().replace('+', "%2B");
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

/// A host and its port.
fn place(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = if let Some(text) = text.strip_prefix('[') {
        let (host, rest) = text.split_once(']').ok_or("a host begins with [ and has no ]")?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("what stands in [ ] is not an IPv6 address".into());
        }
        let port = rest.strip_prefix(':');
        if port.is_none() && !rest.is_empty() {
            return Err("what follows the ] of an IPv6 address is no port".into());
        }
        (host, port)
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let port = port.filter(|port| !port.is_empty()).map(str::parse).transpose();
    let port =
        port.map_err(|_| "a port is not a number below 65536, or an IPv6 address stands without [ ]")?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_hosts_are_several_places() {
        let parts =
            UrlParts::split("amqp://me:pa%2Fss@h1:5672,[2001:db8::1]:5673,h3/%2f?heartbeat=5").unwrap();
        assert_eq!((parts.scheme, parts.credentials, parts.path), ("amqp", Some("me:pa%2Fss"), "/%2f"));
        assert_eq!(parts.places().unwrap(), [("h1", Some(5672)), ("2001:db8::1", Some(5673)), ("h3", None)]);
        assert_eq!(parts.parameters(), [("heartbeat".to_owned(), "5".to_owned())]);
        let parts = UrlParts::split("postgres://host/db?user=me@azure&password=a+b").unwrap();
        assert_eq!(parts.parameters()[1].1, "a+b");
    }

    #[test]
    fn a_password_that_ends_early_is_noticed() {
        for bad in ["a#b", "a/b", "a?b", "12/34", "12?34", "a@b"] {
            let why = UrlParts::split(&format!("amqp://me:{bad}@host:5672/%2f")).err().unwrap_or_default();
            assert!(why.contains("%23") && !why.contains(bad), "{bad}: {why}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for hosts in ["[::1", "[nowhere]", "host:port", "::1", "[::1]5432", "h:70000"] {
            let url = format!("amqp://{hosts}/");
            assert!(UrlParts::split(&url).unwrap().places().is_err(), "{hosts}");
        }
    }
}
