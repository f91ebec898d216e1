//! How much there is to do, and how long Twitch takes to answer.

use std::{fmt, str::FromStr, time::Duration};

use fake_twitch::{Latency, WorldConfig};

/// So many streams, and so much latency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Half of them have enough viewers.
    pub(crate) streams: usize,
    pub(crate) milliseconds: u64,
}

impl Load {
    pub(crate) fn world(self) -> WorldConfig {
        let wanted = self.streams / 2;
        WorldConfig { tail: self.streams - wanted, ..WorldConfig::sized(wanted) }
    }

    pub(crate) fn latency(self) -> Latency {
        Latency::of(Duration::from_millis(self.milliseconds))
    }
}

impl FromStr for Load {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (streams, milliseconds) = text.split_once('@').unwrap_or((text, "0"));
        Ok(Self { streams: streams.parse()?, milliseconds: milliseconds.parse()? })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} streams, {} ms a call", self.streams, self.milliseconds)
    }
}
