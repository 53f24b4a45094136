//! Threads with a stack large enough for the virtual machine.
//!
//! In builds without optimization the engine overflows the 2 MB stack that threads have by default. Everything that
//! executes code therefore runs on these threads, and callers need no special runtime.

use std::sync::{
    Arc, Mutex,
    mpsc::{Receiver, Sender, channel, sync_channel},
};

/// Stack of each thread in bytes. Pages that are never touched cost nothing.
pub const STACK_BYTES: usize = 16 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// A few threads with [`STACK_BYTES`] of stack each. They end when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct LargeStack {
    jobs: Sender<Job>,
}

impl LargeStack {
    /// Starts `threads` threads.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system when a thread cannot be started.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads.max(1) {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name("chain-engine".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || work(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Runs `job` on one of the threads and returns what it returns.
    ///
    /// # Panics
    ///
    /// Panics when `job` does.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (reply, answer) = sync_channel(1);
        let job = Box::new(move || {
            // The caller waits below; when it is gone there is nobody to tell.
            drop(reply.send(job()));
        });
        self.jobs.send(job).expect("the threads live as long as this sender");
        answer.recv().expect("the job did not panic")
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A job that panics is the caller's to report; the thread goes on.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("a job of the engine panicked");
        }
    }
}
