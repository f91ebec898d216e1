//! The console that is measured, and what its pages ask of browsers and of PostgreSQL.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use reqwest::{Client, RequestBuilder};

use crate::{outcome::Outcome, process::Process};

/// Its token: without one nobody may act, and then it has no pages that ask before.
pub(super) const TOKEN: &str = "bench";
/// Longer than a look at the flow serves everybody: whoever comes then waits for a new one.
pub(super) const FORGOTTEN: Duration = Duration::from_millis(1_700);
/// How long a page may take before the drill fails.
const PATIENCE: Duration = Duration::from_mins(10);

/// What the statements of the programs are told by from those of the bench, in `pg_stat_statements`.
pub(super) const OURS: &str = "dbid = (select oid from pg_database where datname = current_database())
    and query not like '%/* bench */%' and query not like '%/* world */%' and query not like '%pg_stat_statements%'";

/// The console.
pub(super) struct Site {
    client: Client,
    address: SocketAddr,
}

impl Site {
    /// Of this process, where it said itself that it serves its pages.
    pub(super) fn of(console: &Process) -> Outcome<Self> {
        let log = console.log()?;
        let (_, rest) = log.split_once("console is ready: http://").ok_or("no address")?;
        let address = rest.split('/').next().unwrap_or_default().parse()?;
        Ok(Self { client: Client::builder().timeout(PATIENCE).build()?, address })
    }

    /// A request as somebody makes it who has the token.
    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.address)).basic_auth("bench", Some(TOKEN))
    }
}

/// Whether an open page at this address gets news.
pub(super) fn is_live(path: &str) -> bool {
    !path.contains(".json") && !path.starts_with("/order") && !path.starts_with("/trace")
}

/// What a browser loads with a page.
pub(super) fn assets(html: &str) -> BTreeSet<String> {
    let quoted = html.split('"').filter(|text| text.starts_with("/assets/"));
    quoted.map(str::to_owned).collect()
}
