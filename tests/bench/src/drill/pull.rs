//! A cold pull, where nothing is known, and a warm one after it.

use crate::{
    flow::{Flow, Shape},
    measure,
    outcome::{Outcome, say},
    setting::Setting,
};

pub(crate) async fn run(setting: &Setting) -> Outcome<()> {
    let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
    flow.start_all(1).await?;
    let slowest = flow.workers.iter().map(|worker| worker.ready_after).max().unwrap_or_default();
    say(&format!("   all four ready after {:.2} s at most", slowest.as_secs_f64()))?;
    for which in ["cold", "warm"] {
        let measured = measure::pull(&flow).await?;
        flow.drained().await?;
        let rows = flow.compare(measured.pull).await;
        say(&format!("   {which}: {rows} rows, each as the world has it: none missing, twice or wrong"))?;
        for line in measured.lines(flow.twitch.world()) {
            say(&format!("   {line}"))?;
        }
    }
    flow.end().await
}
