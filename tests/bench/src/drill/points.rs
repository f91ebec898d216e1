//! A bucket of points that is smaller than the pull, with one and with many replicas: how long the pull takes beside the time
//! that the missing points need to flow back, and how many calls are refused.

use fake_twitch::WorldConfig;

use crate::{
    flow::{Flow, Shape},
    measure,
    outcome::{Outcome, say},
    setting::Setting,
};

/// Streams of the pull: with games and channels it needs about 314 points.
const STREAMS: usize = 14_700;

pub(crate) async fn run(setting: &Setting, per_minute: u32, replicas: &[usize]) -> Outcome<()> {
    for &replicas in replicas {
        let shape = Shape { points: Some(per_minute), ..Shape::default() };
        let mut flow = Flow::on(setting, WorldConfig::plain(STREAMS), shape).await?;
        flow.start_all(replicas).await?;
        let measured = measure::pull(&flow).await?;
        flow.drained().await?;
        flow.compare(measured.pull).await;
        let least_calls = measure::least_calls(flow.twitch.world());
        let needed: usize = least_calls.iter().map(|(.., least)| least).sum();
        let flowing = f64::from(u32::try_from(needed)?) - f64::from(per_minute);
        let least = flowing.max(0.0) * 60.0 / f64::from(per_minute);
        let (took, stats) = (measured.wall.as_secs_f64(), &measured.stats);
        let calls = least_calls
            .map(|(path, endpoint, least)| format!("{path} {} of {least}", stats.calls(endpoint)))
            .join(", ");
        say(&format!(
            "   {replicas} of each: {took:.2} s where {least:.2} s are the least, {} points where {needed} are ({calls}), \
             {} refused",
            stats.points, stats.bucket_empty,
        ))?;
        flow.end().await?;
        if stats.bucket_empty > 0 {
            return Err("calls were refused for want of points".into());
        }
    }
    Ok(())
}
