//! One file a drill. Each builds its flows, ends them, and fails where the tables are not what they must be.

mod backlog;
mod cluster;
mod compare;
mod console;
mod deaths;
mod failover;
mod growth;
mod kill;
mod lake;
mod outage;
mod points;
mod pull;
mod restart;
mod retention;
mod same;
mod scale;
mod table;
mod trace;

pub(crate) use backlog::run as backlog;
pub(crate) use cluster::run as cluster;
pub(crate) use compare::{Options, run as compare};
pub(crate) use console::run as console;
pub(crate) use deaths::run as deaths;
pub(crate) use failover::run as failover;
pub(crate) use growth::run as growth;
pub(crate) use kill::{Kills, each as kill_each, many as kill_many};
pub(crate) use lake::run as lake;
pub(crate) use outage::{Trouble, run as outage};
pub(crate) use points::run as points;
pub(crate) use pull::run as pull;
pub(crate) use restart::run as restart;
pub(crate) use retention::run as retention;
pub(crate) use same::{replicas, thrice};
pub(crate) use scale::run as scale;
pub(crate) use table::{History, run as table};
pub(crate) use trace::run as trace;

use shared::schema::PullId;

use crate::{
    digest::{Digest, digest},
    flow::{Flow, Shape},
    outcome::Outcome,
    setting::Setting,
};

/// What an undisturbed pull leaves behind.
async fn undisturbed(setting: &Setting) -> Outcome<Digest> {
    let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
    flow.start_all(1).await?;
    let pull = flow.request().await?;
    flow.succeeded(pull).await?;
    let digest = settled(&flow, pull).await?;
    flow.end().await?;
    Ok(digest)
}

/// What a pull left behind, once nothing of it is under way; compared with the world on the way.
async fn settled(flow: &Flow, pull: PullId) -> Outcome<Digest> {
    flow.drained().await?;
    flow.compare(pull).await;
    digest(&flow.db, pull).await
}
