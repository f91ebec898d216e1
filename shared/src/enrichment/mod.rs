//! Filling chunks with what only Twitch knows: games, channels. One worker for both, which differ in their [`Catalogue`].

mod asking;
mod bisect;
mod catalogue;
mod enricher;
mod plan;
mod settings;

pub use catalogue::Catalogue;
pub use enricher::Enricher;
pub use settings::{EnricherSettings, parse_age};
