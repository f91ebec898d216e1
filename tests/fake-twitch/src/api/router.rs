//! Which address leads where.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::{Twitch, control, helix, oauth};

pub(crate) fn router(twitch: Arc<Twitch>) -> Router {
    Router::new()
        .route("/livez", get(async || "alive"))
        .route("/oauth2/token", post(oauth::token))
        .route("/oauth2/validate", get(oauth::validate))
        .route("/world/truth/streams", get(control::streams))
        .route("/world/truth/games", get(control::games))
        .route("/world/truth/users", get(control::users))
        .route("/world/truth/banned", get(control::banned))
        .route("/world/truth/defects", get(control::defects))
        .route("/world/truth/events", get(control::events))
        .route("/world/stats", get(control::stats))
        .route("/world/stats/reset", post(control::reset_stats))
        .route("/world/expire-token", post(control::expire_tokens))
        .route("/world/faults", get(control::faults).post(control::set_faults))
        .fallback(helix::helix)
        .with_state(twitch)
}
