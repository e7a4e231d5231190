//! A future that is ended from outside: by the deadline of its running time, or of all its time.

use crate::clock::Clock;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Reason for which a future was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The future ran for too long.
    Running,
    /// The future took too long in all.
    Wall,
}

/// Polls a future, measures how long it runs, and drops it when one of the deadlines has passed.
pub(crate) struct Timed<'a, F> {
    inner: Pin<Box<F>>,
    clock: &'a Clock,
    running_max: Duration,
    wall_max: Duration,
    /// Timer, made when the future waits first: most never do.
    wall: Option<Pin<Box<Sleep>>>,
}

impl<'a, F: Future> Timed<'a, F> {
    pub(crate) fn new(inner: F, clock: &'a Clock, running_max: Duration, wall_max: Duration) -> Self {
        Timed { inner: Box::pin(inner), clock, running_max, wall_max, wall: None }
    }
}

impl<F: Future> Future for Timed<'_, F> {
    type Output = Result<F::Output, Ended>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.clock.start();
        let polled = this.inner.as_mut().poll(cx);
        let ran = this.clock.stop();
        if let Poll::Ready(output) = polled {
            return Poll::Ready(Ok(output));
        }
        if ran > this.running_max {
            return Poll::Ready(Err(Ended::Running));
        }
        let wall = this.wall.get_or_insert_with(|| Box::pin(sleep(this.wall_max)));
        wall.as_mut().poll(cx).map(|()| Err(Ended::Wall))
    }
}
