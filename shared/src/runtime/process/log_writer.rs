//! Log lines on their way to standard error: from a thread of their own, so that a reader that stalls never holds up
//! heartbeats or messages.
//!
//! The queue to that thread is bounded. While nobody reads, lines that do not fit are dropped and counted; the count is
//! told as soon as the reader has caught up. To lose lines is better than to lose the broker.

use std::{
    io::{self, Write},
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::Duration,
};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Most lines that wait for their reader: a few MB.
const QUEUE: usize = 8 * 1024;
/// How long a program that ends waits for the reader of its last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Takes lines, never blocks; and writes them to `out`, with `notice` of so many lines where some were dropped.
pub(in crate::runtime) fn non_blocking(
    out: impl Write + Send + 'static,
    notice: fn(usize) -> Vec<u8>,
) -> (NonBlocking, LastLines) {
    bounded(out, notice, QUEUE)
}

fn bounded(
    out: impl Write + Send + 'static,
    notice: fn(usize) -> Vec<u8>,
    queue: usize,
) -> (NonBlocking, LastLines) {
    let dropped = Arc::<OnceLock<ErrorCounter>>::default();
    let writer = Candid { out, notice, dropped: Arc::clone(&dropped), told: 0 };
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(queue).thread_name("log");
    let (lines, guard) = builder.finish(writer);
    let _ = dropped.set(lines.error_counter());
    (lines, LastLines(Some(guard)))
}

/// Writes lines, and tells of those that are missing.
struct Candid<W> {
    out: W,
    notice: fn(usize) -> Vec<u8>,
    /// Known once there is a queue that can drop something.
    dropped: Arc<OnceLock<ErrorCounter>>,
    /// How many of the dropped lines have been told of.
    told: usize,
}

impl<W: Write> Write for Candid<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.out.write(line)
    }

    /// Called whenever the queue has run empty: the reader has caught up.
    fn flush(&mut self) -> io::Result<()> {
        let dropped = self.dropped.get().map_or(0, ErrorCounter::dropped_lines);
        if dropped > self.told {
            self.out.write_all(&(self.notice)(dropped - self.told))?;
            self.told = dropped;
        }
        self.out.flush()
    }
}

/// Dropped last of all, it waits until the last lines are written, or until it is clear that nobody reads them.
pub(in crate::runtime) struct LastLines(Option<WorkerGuard>);

impl Drop for LastLines {
    fn drop(&mut self) {
        let guard = self.0.take();
        let (done, flushed) = mpsc::channel::<()>();
        // The guard gives up by itself, but prints that it does: where nobody reads, that would wait for ever.
        let flush = move || drop((guard, done));
        // Without a thread to spare, the guard is dropped here.
        if thread::Builder::new().spawn(flush).is_ok() {
            // An error either way: it is done, or it takes too long.
            let _ = flushed.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, pipe};

    use super::*;

    /// More than any pipe holds.
    const MANY: usize = 5_000;
    /// For a machine that has other things to do.
    const DEADLINE: Duration = Duration::from_secs(30);

    fn notice(dropped: usize) -> Vec<u8> {
        format!("dropped {dropped}\n").into_bytes()
    }

    fn write(lines: &mut NonBlocking, count: usize) {
        for number in 0..count {
            // Each line in one piece, as the log layer writes it.
            lines.write_all(format!("line {number:0100}\n").as_bytes()).unwrap();
        }
    }

    #[test]
    fn a_reader_who_comes_late_is_told_how_many_lines_are_missing() {
        let (reader, out) = pipe().unwrap();
        let (mut lines, _last) = bounded(out, notice, 8);
        write(&mut lines, MANY);
        let (tell, told) = mpsc::channel();
        thread::spawn(move || BufReader::new(reader).lines().try_for_each(|line| tell.send(line.unwrap())));
        let (mut read, mut dropped) = (0, 0);
        while read + dropped < MANY {
            let line = told.recv_timeout(DEADLINE).expect("every line is read or counted");
            match line.strip_prefix("dropped ") {
                Some(count) => dropped += count.parse::<usize>().unwrap(),
                None => read += 1,
            }
        }
        assert!(read >= 8 && dropped > 0, "{read} read, {dropped} dropped");
        assert_eq!(read + dropped, MANY);
    }

    #[test]
    fn the_last_lines_are_written_before_the_end() {
        let (reader, out) = pipe().unwrap();
        let (mut lines, last) = non_blocking(out, notice);
        write(&mut lines, 100);
        let read = thread::spawn(move || BufReader::new(reader).lines().count());
        drop(last);
        assert_eq!(read.join().unwrap(), 100);
    }

    #[test]
    fn a_program_ends_though_nobody_reads() {
        let (_reader, out) = pipe().unwrap();
        let (mut lines, last) = bounded(out, notice, 8);
        write(&mut lines, MANY);
        drop(last);
    }
}
