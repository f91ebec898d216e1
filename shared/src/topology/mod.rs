//! The whole broker as one typed table: stages, retry rungs, dead letters, events.
//!
//! Start here. A stage reads one kind of message and announces another; stages that do not fit together do not
//! compile. This module only names and describes; `runtime` declares it and moves messages through it.
//!
//! ```text
//! work ──pull-requested──▶ extractor ──chunk-stored──▶ game-enricher ──games-filled──▶ channel-enricher
//!                                                            ──channels-filled──▶ finalizer ──▶ events: pull.completed
//! <stage> ──transient──▶ <stage>.retry.<ms> ──delay──▶ <stage>          (quorum: work is never lost)
//! <stage> ──permanent──▶ dead-letters ──▶ <stage>.dead                  (classic: can be browsed without harm)
//! <stage>.dead ──operator replays──▶ <stage>.replay ──▶ <stage>, when it has nothing else to do
//! extractor ──records that fail validation──▶ streams.rejected
//! events: pull.completed ──▶ exporter ──▶ events: lake.exported        (optional: its queues are declared by itself alone)
//! ```
//!
//! The arguments of a queue cannot be changed after it was declared, so a delay is part of its queue's name, and a
//! changed schedule makes new queues. Why each argument is as it is: workers/operator/README.md, "What the broker does".

mod asyncapi;
mod exchange;
mod queue;
mod retry_delays;
mod stage;

pub use asyncapi::asyncapi;
pub use exchange::{DEAD_LETTERS, EVENTS, EXCHANGES, REJECTED, WORK};
pub use queue::{Argument, Bound, DELIVERY_LIMIT, Queue};
pub use retry_delays::{InvalidDelays, RetryDelays};
pub use stage::{Announcement, Route, Routed, Stage, StageInfo};

use crate::schema::{ChannelsFilled, ChunkStored, GamesFilled, PullClosed, PullExported, PullRequested};

/// Pages through the live streams, one pull at a time.
pub const EXTRACTOR: Stage<PullRequested, ChunkStored> = Stage::named("extractor").prefetch(1);
/// Learns games; many chunks in hand, because hundreds of chunks may share one call.
pub const GAME_ENRICHER: Stage<ChunkStored, GamesFilled> = Stage::named("game-enricher").prefetch(500);
/// Learns channels; fewer chunks in hand, so that replicas share the work.
pub const CHANNEL_ENRICHER: Stage<GamesFilled, ChannelsFilled> =
    Stage::named("channel-enricher").prefetch(100);
/// Merges and closes; two transactions' worth of chunks in hand, and as many on their way.
pub const FINALIZER: Stage<ChannelsFilled, PullClosed> = Stage::named("finalizer").prefetch(64);
/// Writes completed pulls to the data lake, one at a time and so in their order. May be left out.
pub const EXPORTER: Stage<PullClosed, PullExported> = Stage::named("exporter").listens_to("pull.completed");

/// Each stage speaks the language the next one understands; otherwise this does not compile.
const _: () = {
    EXTRACTOR.feeds(&GAME_ENRICHER);
    GAME_ENRICHER.feeds(&CHANNEL_ENRICHER);
    CHANNEL_ENRICHER.feeds(&FINALIZER);
    FINALIZER.feeds(&EXPORTER);
};

/// The stages that every pull goes through, in the order of the flow.
pub const STAGES: [StageInfo; 4] =
    [EXTRACTOR.info(), GAME_ENRICHER.info(), CHANNEL_ENRICHER.info(), FINALIZER.info()];

/// The stages that may be left out: each listens to an event, and nobody else declares its queues.
pub const OPTIONAL_STAGES: [StageInfo; 1] = [EXPORTER.info()];

/// All stages: those of the flow, then those that may be left out.
pub fn all_stages() -> impl Iterator<Item = StageInfo> {
    STAGES.into_iter().chain(OPTIONAL_STAGES)
}

impl StageInfo {
    /// The stage of that name.
    pub fn find(name: &str) -> Option<Self> {
        all_stages().find(|stage| stage.name == name)
    }
}

/// The queues that every deployment has.
pub fn queues(delays: &RetryDelays) -> Vec<Queue> {
    queue::queues(&STAGES, delays)
}

/// The queues of one stage.
pub fn queues_of(stage: StageInfo, delays: &RetryDelays) -> Vec<Queue> {
    queue::stage_queues(stage, delays).collect()
}
