//! Taking deliveries in hand: each is read, and begins or continues a trace.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    super::{Job, Worker, message::trace_context::Trace, process::spans},
    Consumer,
    intake::{InHand, Taken},
};
use crate::{
    failure::{Class, Failure},
    metrics,
    schema::{DecodeError, decode},
};

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let code = match error {
            DecodeError::Malformed { .. } => "message.malformed",
            DecodeError::Kind { .. } => "message.kind",
            DecodeError::Version { .. } => "message.version",
        };
        Self::of(Class::Permanent, code, &error)
    }
}

impl<W: Worker> Consumer<'_, W> {
    /// Takes deliveries in hand; one that cannot be read is dead-lettered at once.
    pub(super) async fn accept(&mut self, deliveries: Vec<Taken>) -> Result<(), Failure> {
        for Taken { queue, mut delivery } in deliveries {
            metrics::consumed(&queue);
            let scope = spans::delivered(self.stage, &queue, &delivery);
            if Trace::read(&delivery.properties).is_none() {
                // Whatever becomes of it stays in the trace that begins here.
                delivery.properties = scope.trace.put(&delivery.properties);
            }
            match decode::<W::In>(&delivery.data) {
                Ok(message) => {
                    let now = Instant::now();
                    let job = Job { message, held: Duration::ZERO, steps: 0 };
                    let (taken, not_before, due) = (now, now, now);
                    self.hands.push(InHand { delivery, queue, scope, job, taken, not_before, due });
                }
                Err(error) => self.reject(&delivery, &scope, &error.into()).await?,
            }
        }
        self.count_hands(0);
        Ok(())
    }
}
