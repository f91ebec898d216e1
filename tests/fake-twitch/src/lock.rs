//! Locking in a server whose tests may panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock that a panicking test elsewhere does not take away.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
