//! What the finalizer does beside its messages.

use std::{sync::Arc, time::Duration};

use shared::{
    failure::Failure,
    runtime::{Duty, every, sharing},
    version::Version,
};

use crate::{alarms, background::Background, gauges, volume, watch};

/// How often most of it is done: each run is a question or two.
const OFTEN: Duration = Duration::from_secs(10);
/// How often is done what nobody waits for.
const SELDOM: Duration = Duration::from_mins(1);

/// The duties. Those that need to be done by one replica only are elected, run by run; gauges are told by each.
pub(crate) fn duties(background: Background) -> Vec<Duty> {
    let all = Arc::new(background);
    vec![
        every(watch::period(all.stalled_after), "stall-watch", sharing(&all, watch::look)),
        every(SELDOM, "build-releases", sharing(&all, release_for_build)),
        every(OFTEN, "dead-letter-alarms", sharing(&all, alarms::look)),
        every(SELDOM, "volume-baseline", sharing(&all, volume::look)),
        every(OFTEN, "flow-gauges", sharing(&all, gauges::look)),
        every(SELDOM, "claim-sweep", sharing(&all, sweep_claims)),
    ]
}

/// Releases dead letters that were held until this build, or an older one, is here.
async fn release_for_build(all: Arc<Background>) -> Result<(), Failure> {
    let build = Version::current();
    let release = all.store.release_for_build(&build, all.clock.now());
    all.store.if_elected("build-releases", release).await?;
    Ok(())
}

/// Removes claims of processes that died.
async fn sweep_claims(all: Arc<Background>) -> Result<(), Failure> {
    let sweep = all.store.sweep_claims(all.clock.now());
    all.store.if_elected("claim-sweep", sweep).await?;
    Ok(())
}
