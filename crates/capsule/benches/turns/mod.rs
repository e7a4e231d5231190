//! Samples of works that take turns, so that a noisy machine disturbs all of them alike.

use std::time::Instant;

/// Samples of each work.
const SAMPLES: usize = 9;

/// Milliseconds of some work.
pub(crate) fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1000.0
}

/// Medians of works, in their order. A work returns its own time.
pub(crate) fn medians(works: &mut [&mut dyn FnMut() -> f64]) -> Vec<f64> {
    let mut samples = vec![Vec::new(); works.len()];
    for _ in 0..SAMPLES {
        for (work, samples) in works.iter_mut().zip(&mut samples) {
            samples.push(work());
        }
    }
    samples.into_iter().map(median).collect()
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
