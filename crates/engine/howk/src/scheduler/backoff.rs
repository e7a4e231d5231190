//! Wait of a webhook before its next attempt.

use crate::pipeline::RetrySettings;
use std::time::Duration;

/// The wait after the failure of attempt `attempt`, from 0: `base_delay`, doubled for each attempt before it,
/// at most `max_delay`, of which the share `jitter` is random. An endpoint that asks for a longer wait gets
/// it, up to `max_delay`.
///
/// `chance` is a random number from 0 to 1.
pub fn backoff(settings: &RetrySettings, attempt: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let doubled = 2_u32.checked_pow(attempt).and_then(|factor| settings.base_delay.checked_mul(factor));
    let wait = doubled.map_or(settings.max_delay, |wait| wait.min(settings.max_delay));
    let jitter = if settings.jitter.is_finite() { settings.jitter.clamp(0.0, 1.0) } else { 0.0 };
    let share = 1.0 - jitter * chance.clamp(0.0, 1.0);
    // A chance that is no number takes nothing away; neither does rounding past the longest time there is.
    let wait = Duration::try_from_secs_f64(wait.as_secs_f64() * share).unwrap_or(wait);
    asked.map_or(wait, |asked| wait.max(asked.min(settings.max_delay)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let settings = RetrySettings::default();
        let seconds = |attempt, chance| backoff(&settings, attempt, None, chance).as_secs();
        assert_eq!([0, 1, 2, 3].map(|attempt| seconds(attempt, 0.0)), [10, 20, 40, 80]);
        assert_eq!([0, 1, 2, 3].map(|attempt| seconds(attempt, 1.0)), [8, 16, 32, 64]);
        for attempt in [14, 20, 31, 32, 33, u32::MAX] {
            assert_eq!(seconds(attempt, 0.0), 24 * 60 * 60);
        }
    }

    #[test]
    fn an_endpoint_may_ask_for_more_and_not_for_less() {
        let settings = RetrySettings::default();
        let seconds = |asked| backoff(&settings, 0, Some(Duration::from_secs(asked)), 0.0).as_secs();
        assert_eq!([0, 9, 11, 3600, u64::MAX].map(seconds), [10, 10, 11, 3600, 24 * 60 * 60]);
    }

    #[test]
    fn no_settings_panic() {
        for jitter in [f64::NAN, f64::INFINITY, -1.0, 2.0] {
            for delay in [Duration::ZERO, Duration::MAX] {
                let settings = RetrySettings { base_delay: delay, max_delay: delay, jitter, max_attempts: 1 };
                for chance in [0.0, 0.5, 1.0, f64::NAN] {
                    backoff(&settings, 40, Some(Duration::MAX), chance);
                }
            }
        }
    }
}
