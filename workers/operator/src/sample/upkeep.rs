//! What is removed, erased and moved.

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    proof::Leftovers,
    retention::{ClassSurvey, KeptDay, Removed},
    schema::PullId,
    store::{Places, Ttl},
};

use crate::{
    shadow::{Comparison, Difference, Findings, Secret, Setting},
    view::{Erased, Shadowed},
};

/// What is kept of two classes.
pub(crate) fn retention() -> Vec<ClassSurvey> {
    let oldest: DateTime<Utc> = "2026-04-12T00:00:00Z".parse().unwrap();
    let day = oldest.date_naive();
    let due = |class| Removed { class, rows: 0, days: vec![], bytes: 0, kept: vec![] };
    vec![
        ClassSurvey {
            class: "pages",
            about: "raw pages",
            ttl: Ttl::days(90),
            is_default: true,
            rows: 1_200,
            bytes: 2 << 20,
            oldest: Some(oldest),
            due: Removed {
                days: vec![day - TimeDelta::days(1)],
                bytes: 1 << 20,
                kept: vec![KeptDay { day, why: "1 pull under way".into() }],
                ..due("pages")
            },
        },
        ClassSurvey {
            class: "alarms",
            about: "alarms",
            ttl: Ttl::NEVER,
            is_default: false,
            rows: 0,
            bytes: 0,
            oldest: None,
            due: due("alarms"),
        },
    ]
}

/// A channel that was erased.
pub(crate) fn erased() -> Erased {
    let counts = [("pull_data.channel_id".to_owned(), 12), ("streams.rejected".to_owned(), 1)].into();
    let explained = [("dead_letter.body".to_owned(), 1)].into();
    let left = Leftovers {
        unexplained: Places::new(),
        explained: [("digits within a longer number".to_owned(), explained)].into(),
    };
    Erased::done("123456789".parse().unwrap(), counts, left, false, true)
}

/// A pull that differs from that of the NiFi flow, and one that the NiFi flow lacks.
pub(crate) fn shadowed() -> Vec<Shadowed> {
    let status = Difference { streams: 1, examples: vec![("44".into(), "x".into(), "y".into())] };
    let comparison = Comparison {
        both: 2,
        only_legacy: vec!["55".into()],
        columns: [("channel.status".to_owned(), status)].into(),
        ..Comparison::default()
    };
    vec![
        Shadowed { pull_id: Some(PullId(7)), legacy_pull: Some("99".into()), comparison: Some(comparison) },
        Shadowed { pull_id: Some(PullId(8)), legacy_pull: None, comparison: None },
    ]
}

/// An exported flow with a setting and a secret.
pub(crate) fn legacy_flow() -> Findings {
    Findings {
        settings: vec![Setting {
            name: "PULL_INTERVAL",
            value: "10m".into(),
            component: "Trigger".into(),
            property: "schedulingPeriod".into(),
        }],
        secrets: vec![Secret {
            component: "Get streams".into(),
            property: "Client-ID".into(),
            setting: Some("TWITCH_CLIENT_ID_FILE"),
        }],
    }
}
