//! What a person orders at the terminal, as an operation that others see: carried out by this process.

use shared::{
    operations::{self, Action, Effect, Requester},
    store::Store,
};

use crate::{context::Context, error::Error};

/// Who orders it, and how many dead letters were counted for the question whether to do it.
pub(super) fn requester(by: &str, counted: Option<i64>) -> Requester<'_> {
    Requester { by, from: "command line", counted }
}

/// How operations name this process.
pub(super) fn carrier() -> String {
    format!("operator {}", std::process::id())
}

/// Does `work`, which is what `action` says, as an operation. If this process dies in the middle, an extractor goes on.
pub(super) async fn recorded<T>(
    context: &Context,
    store: &Store,
    action: &Action,
    requester: Requester<'_>,
    effect: impl FnOnce(&T) -> Effect,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let clock = &context.clock;
    let claim = operations::begin(store, clock, action, requester, &carrier()).await?;
    operations::record(store, clock, claim, effect, work).await
}
