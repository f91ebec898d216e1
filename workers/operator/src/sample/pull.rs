//! Pulls.

use chrono::TimeDelta;
use shared::{
    schema::PullId,
    store::{PullReport, StageSpan, Waiting},
};

use super::now::now;
use crate::view::PullDetails;

/// A pull in the middle of fetching, 10 seconds old.
pub(crate) fn under_way() -> PullReport {
    PullReport {
        pull_id: PullId(8),
        status: "pending".into(),
        slot: None,
        requested_by: "operator".into(),
        started_at: now() - TimeDelta::seconds(10),
        extracted_at: None,
        completed_at: None,
        stop_reason: None,
        whole: None,
        error: None,
        pages: 40,
        fetched: 4_000,
        stored: 3_800,
        rejected: 150,
        duplicates: 50,
        nul_replaced: 0,
        chunks: 40,
        games_added: None,
        games_missing: None,
        channels_filled: None,
        channels_missing: None,
        helix_calls: 45,
        rescues: 0,
        games_chunks: 30,
        channels_chunks: 22,
        merged_chunks: 20,
        rejected_by_rule: [("min_viewers".to_owned(), 149), ("id".to_owned(), 1)].into(),
    }
}

/// The same pull, two minutes after its start.
pub(crate) fn successful() -> PullReport {
    let under_way = under_way();
    PullReport {
        pull_id: PullId(7),
        status: "success".into(),
        slot: Some(under_way.started_at - TimeDelta::seconds(1)),
        requested_by: "schedule".into(),
        extracted_at: Some(under_way.started_at + TimeDelta::seconds(31)),
        completed_at: Some(under_way.started_at + TimeDelta::seconds(72)),
        stop_reason: Some("min_viewers".into()),
        whole: Some(true),
        games_added: Some(12),
        games_missing: Some(1),
        channels_filled: Some(3_790),
        channels_missing: Some(10),
        games_chunks: 40,
        channels_chunks: 40,
        merged_chunks: 40,
        ..under_way
    }
}

/// The same pull, failed.
pub(crate) fn failed() -> PullReport {
    PullReport {
        pull_id: PullId(6),
        status: "failed".into(),
        extracted_at: Some(now() - TimeDelta::seconds(1)),
        completed_at: Some(now()),
        stop_reason: Some("end".into()),
        whole: Some(true),
        error: Some("chunk 12 at game-enricher: Twitch answered 400".into()),
        ..under_way()
    }
}

/// Everything about the failed pull.
pub(crate) fn pull_details() -> PullDetails {
    let span = |stage, chunks| StageSpan {
        stage,
        chunks,
        first_at: (chunks > 0).then(|| now() - TimeDelta::seconds(9)),
        last_at: (chunks > 0).then(|| now() - TimeDelta::seconds(1)),
    };
    let stages = [("extractor", 40), ("game-enricher", 30), ("channel-enricher", 22), ("finalizer", 0)];
    let waiting = vec![Waiting {
        chunk: 12,
        stage: "game-enricher".into(),
        since: now() - TimeDelta::seconds(9),
        failed_stage: Some("game-enricher".into()),
        failure: Some("Twitch answered 400".into()),
    }];
    PullDetails {
        pull: failed(),
        stages: stages.map(|(stage, chunks)| span(stage, chunks)).into(),
        waiting,
        obstacle: None,
    }
}
