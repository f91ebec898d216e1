//! What `status`, `doctor` and `top` judge by, gathered at once.

use shared::{runtime::QueueDepth, store::Store};

use crate::{context::Context, error::Error, view::Facts};

/// The facts; `depths` are those of the broker's queues.
pub(super) async fn gather(
    context: &Context,
    store: &Store,
    depths: impl Future<Output = Result<Vec<QueueDepth>, Error>>,
) -> Facts {
    let queues = async { depths.await.map_err(|error| error.to_string()) };
    // On the heap, because it is large.
    Box::pin(Facts::read(store, queues, context.clock.now())).await
}
