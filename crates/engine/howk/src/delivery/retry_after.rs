//! The header `Retry-After`: seconds, or a date of HTTP.

use jiff::Timestamp;
use std::time::Duration;

/// Reads for how long an endpoint asks to be left alone. A date that has passed is no wait; what is neither
/// is none.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = Timestamp::try_from(httpdate::parse_http_date(value).ok()?).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        let seconds = |value| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        for date in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(seconds(date), Some(37), "{date}");
        }
        assert_eq!(seconds("Sun, 06 Nov 1994 08:48:00 GMT"), Some(0));
        for other in ["", "-1", "1.5", "soon", "1e3", "Sun, 99 Nov 1994 08:49:37 GMT", "٣"] {
            assert_eq!(seconds(other), None, "{other}");
        }
    }
}
