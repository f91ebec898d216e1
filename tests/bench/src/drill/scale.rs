//! More of one worker, and more streams.

use std::time::{Duration, Instant};

use fake_twitch::{Endpoint, Latency};

use crate::{
    flow::{Flow, Shape},
    measure::{self, mebibytes},
    outcome::{Outcome, say},
    setting::Setting,
};

/// How many times the streams, for the memory check and to keep four workers busy.
const MORE: usize = 6;
/// How long the stages before may take to fill the queue.
const PATIENCE: Duration = Duration::from_mins(5);

pub(crate) async fn run(setting: &Setting, latency: u64) -> Outcome<()> {
    let latency = Duration::from_millis(latency);
    let mut rates = Vec::new();
    for replicas in [1, 4] {
        let rate = rate(setting, replicas, latency).await?;
        say(&format!("   {replicas} channel-enrichers: {rate:.0} channels a second at {latency:?} a call"))?;
        rates.push(rate);
    }
    say(&format!("   four fill {:.2} times as many channels as one", rates[1] / rates[0]))?;
    memory(setting).await
}

/// Channels filled a second by so many channel-enrichers that find the queue full and nothing known.
async fn rate(setting: &Setting, replicas: usize, latency: Duration) -> Outcome<f64> {
    let latency = Latency::default().on(Endpoint::Users, latency);
    let streams = setting.streams * MORE;
    let mut flow = Flow::new(setting, streams, Shape { latency, ..Shape::default() }).await?;
    flow.start(&["extractor", "game-enricher"]).await?;
    let pull = flow.request().await?;
    let waiting = flow.until(pull, PATIENCE, |report| report.status == "filling-channels").await?;
    let begun = Instant::now();
    flow.start(&vec!["channel-enricher"; replicas]).await?;
    flow.until(pull, PATIENCE, |report| report.channels_chunks == i64::from(report.chunks)).await?;
    let took = begun.elapsed();
    flow.start(&["finalizer"]).await?;
    flow.succeeded(pull).await?;
    flow.compare(pull).await;
    flow.end().await?;
    Ok(f64::from(waiting.stored) / took.as_secs_f64())
}

/// The peak memory of each worker, for the usual number of streams and for many more.
async fn memory(setting: &Setting) -> Outcome<()> {
    let mut peaks = Vec::new();
    for streams in [setting.streams, setting.streams * MORE] {
        let mut flow = Flow::new(setting, streams, Shape::default()).await?;
        flow.start_all(1).await?;
        let measured = measure::pull(&flow).await?;
        flow.drained().await?;
        flow.compare(measured.pull).await;
        for line in measured.lines(flow.twitch.world()) {
            say(&format!("   {line}"))?;
        }
        flow.end().await?;
        peaks.push(measured);
    }
    for ((name, small), (_, large)) in peaks[0].workers.iter().zip(&peaks[1].workers) {
        let (small, large) = (mebibytes(small.peak_rss), mebibytes(large.peak_rss));
        say(&format!("   {name:<17} {small:.1} MiB, with {MORE} times the streams {large:.1} MiB"))?;
    }
    Ok(())
}
