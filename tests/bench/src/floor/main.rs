//! The floor: the least program that stores what the four workers store. One process, one `COPY`, no queue.
//!
//! It reads `/streams` page by page, asks `/games` and `/users` for what its tables do not have, joins in memory, and stores
//! everything in one transaction. It keeps no promise: when anything fails it ends, and whatever it had fetched is gone.
//! `tests/bench/run compare` starts it and measures it. Each line on its standard input is the id of a pull to carry out.

mod catalogue;
mod model;
mod store;
mod twitch;

use std::io::{self, Write};

use clap::Parser;
use store::Store;
use twitch::Twitch;

/// Whatever ends the program is told in words.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Carries out pulls: one for each id it reads on its standard input.
#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    twitch: twitch::Settings,
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Streams with fewer viewers are left out
    #[arg(long, env = "MIN_VIEWERS", default_value_t = 10)]
    min_viewers: i32,
    /// Read the list to its end rather than to the first page whose last stream has too few viewers
    #[arg(long)]
    whole_list: bool,
}

// One thread: more would wait for PostgreSQL together.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let settings = Settings::parse();
    let mut store = Store::connect(&settings.database_url).await?;
    let mut twitch = Twitch::new(settings.twitch.clone())?;
    writeln!(io::stdout(), "the floor is ready: write the id of a pull")?;
    for line in io::stdin().lines() {
        pull(&mut store, &mut twitch, &settings, line?.parse()?).await?;
    }
    Ok(())
}

async fn pull(store: &mut Store, twitch: &mut Twitch, settings: &Settings, pull_id: i64) -> Outcome<()> {
    twitch.log_in().await?;
    let streams = twitch.streams(settings.min_viewers, settings.whole_list).await?;
    let game_ids = catalogue::distinct(streams.iter().map(|found| found.stream.game_id.as_str()));
    let channel_ids = catalogue::distinct(streams.iter().map(|found| found.stream.user_id.as_str()));
    let (games, channels) = tokio::try_join!(
        catalogue::fill(store, twitch, game_ids),
        catalogue::fill(store, twitch, channel_ids)
    )?;
    store.write(pull_id, &streams, &games, &channels).await
}
