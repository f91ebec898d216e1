//! However a pull comes about, it leaves the same tables.

use super::{settled, undisturbed};
use crate::{
    digest::same,
    flow::{Flow, Shape},
    measure,
    outcome::{Outcome, say},
    setting::Setting,
    tee::Tee,
};

/// Two of every worker.
pub(crate) async fn replicas(setting: &Setting) -> Outcome<()> {
    let wanted = undisturbed(setting).await?;
    let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
    flow.start_all(2).await?;
    let measured = measure::pull(&flow).await?;
    same(&wanted, &settled(&flow, measured.pull).await?)?;
    for line in measured.lines(flow.twitch.world()) {
        say(&format!("   {line}"))?;
    }
    say("   the same tables as with one of each")?;
    flow.end().await
}

/// Every message three times.
pub(crate) async fn thrice(setting: &Setting) -> Outcome<()> {
    let wanted = undisturbed(setting).await?;
    let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
    let tee = Tee::lay(&flow.place.amqp_url(), 2).await?;
    flow.start_all(1).await?;
    let measured = measure::pull(&flow).await?;
    let found = settled(&flow, measured.pull).await?;
    same(&wanted, &found)?;
    for line in measured.lines(flow.twitch.world()) {
        say(&format!("   {line}"))?;
    }
    say(&format!("   {} messages were delivered again; the same tables", tee.again()))?;
    flow.end().await
}
