//! Which build this is, and which of two builds is the newer one.

use std::{cmp::Ordering, fmt, str::FromStr};

/// The version of this build as SemVer, with date and commit as build metadata: `0.1.0+20261125.e6127a1`. `build.rs` says
/// where they come from; without them it is `0.1.0`.
pub const VERSION: &str = env!("TWITCH_PULL_VERSION");

/// The version of a build.
///
/// Ordered by [SemVer's precedence](https://semver.org/#spec-item-11), then by the date in its build metadata; a version
/// without a date is older than any with one. Builds of the same version and day are equal, whatever their commits.
#[derive(Debug, Clone)]
pub struct Version {
    version: semver::Version,
    /// Such as 20261125.
    date: Option<u32>,
}

/// A text that is no version.
#[derive(Debug, thiserror::Error)]
#[error("{0}: write a version such as 1.2.0 or 1.2.0+20261125")]
pub struct InvalidVersion(#[from] semver::Error);

impl Version {
    /// The version of this build.
    #[expect(clippy::missing_panics_doc, reason = "a test shows that it can be parsed")]
    pub fn current() -> Self {
        VERSION.parse().expect("the build script writes SemVer")
    }

    fn order(&self, other: &Self) -> Ordering {
        self.version.cmp_precedence(&other.version).then(self.date.cmp(&other.date))
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Minor and patch may be left out: 1.2 is 1.2.0.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (numbers, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
        let version = match numbers.matches('.').count() {
            _ if numbers.is_empty() => text.parse(),
            0 => format!("{numbers}.0.0{rest}").parse(),
            1 => format!("{numbers}.0{rest}").parse(),
            _ => text.parse(),
        };
        let version: semver::Version = version?;
        let first = version.build.split('.').next().unwrap_or_default();
        let date = if first.len() == 8 { first.parse().ok() } else { None };
        Ok(Self { version, date })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.version.fmt(formatter)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn this_build_has_a_version() {
        assert_eq!(Version::current().to_string(), VERSION);
        assert!(VERSION.starts_with(env!("CARGO_PKG_VERSION")), "{VERSION}");
    }

    #[test]
    fn builds_are_ordered_by_version_then_by_date() {
        let ascending = [
            "0.1.0-rc.1+20270101.fffffff",
            "0.1.0",
            "0.1.0+20261124.ffffffa",
            "0.1.0+20261125.0000000",
            "0.1.1-alpha",
            "0.1.1-rc.2",
            "0.1.1-rc.10",
            "0.1.1",
            "0.9.0+20270101.e6127a1",
            "0.10.0",
            "1.0.0+20200101.e6127a1",
        ];
        for pair in ascending.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn builds_of_one_day_are_equal() {
        assert_eq!(version("0.1.0+20261125.e6127a1"), version("0.1.0+20261125.0123456.dirty"));
    }

    #[test]
    fn metadata_without_a_date_is_older_than_any_date() {
        for undated in ["0.1.0", "0.1.0+e6127a1", "0.1.0+unknown", "0.1.0+1234567", "0.1.0+123456789"] {
            assert_eq!(version(undated), version("0.1.0"), "{undated}");
            assert!(version(undated) < version("0.1.0+00000101"), "{undated}");
        }
    }

    #[test]
    fn minor_and_patch_may_be_left_out() {
        for (short, whole) in
            [("1", "1.0.0"), ("1.2", "1.2.0"), ("1.2-rc.1", "1.2.0-rc.1"), ("1+2.3", "1.0.0+2.3")]
        {
            assert_eq!(version(short).to_string(), whole);
        }
    }

    #[test]
    fn what_is_no_version_is_an_error_with_an_example() {
        for bad in [
            "",
            "soon",
            "v1.2.0",
            "1..2",
            "1.2.3.4",
            "1.2.0+",
            "1.2.0-",
            "-1",
            "01.2",
            "99999999999999999999",
        ] {
            let error = bad.parse::<Version>().expect_err(bad).to_string();
            assert!(error.contains("1.2.0"), "{bad}: {error}");
        }
    }
}
