//! The time for which an answer may be given again: what `Cache-Control` and its kin say (RFC 9111, as far as
//! it concerns us).

use howk_contract::Headers;
use std::time::Duration;

/// Directives of `Cache-Control`, in lower case, with their arguments.
fn directives(value: &str) -> impl Iterator<Item = (String, Option<&str>)> {
    value.split(',').map(|directive| match directive.split_once('=') {
        Some((name, argument)) => (name.trim().to_ascii_lowercase(), Some(argument.trim().trim_matches('"'))),
        None => (directive.trim().to_ascii_lowercase(), None),
    })
}

/// Wish of a script about the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// An answer that is fresh.
    Fresh,
    /// The server's answer now, which others may have later: `no-cache`, `max-age=0`.
    Reload,
    /// The server's answer now, and nobody else: `no-store`.
    Private,
}

/// Wish that the headers of a request express.
pub(crate) fn wish(headers: &Headers) -> Wish {
    let mut wish = Wish::Fresh;
    for (name, argument) in headers.get("cache-control").into_iter().flat_map(directives) {
        match (name.as_str(), argument) {
            ("no-store", _) => return Wish::Private,
            ("no-cache", _) | ("max-age", Some("0")) => wish = Wish::Reload,
            _ => {}
        }
    }
    if wish == Wish::Fresh
        && headers.get("pragma").is_some_and(|value| value.eq_ignore_ascii_case("no-cache"))
    {
        return Wish::Reload;
    }
    wish
}

/// Requests that an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// The request that it answers, and no other.
    Once,
    /// Requests at the same time, and none later.
    Together,
    /// Equal requests of the config in this time.
    For(Duration),
}

/// Requests that an answer is for. `header` gives a header's value by its name in lower case; `most` is the
/// setting's time.
pub(crate) fn usage<'a>(status: u16, header: impl Fn(&str) -> Option<&'a [u8]>, most: Duration) -> Use {
    let text = |name: &str| header(name).map(|value| String::from_utf8_lossy(value).into_owned());
    let mut age_max: Option<u64> = None;
    let mut cacheable = true;
    let control = text("cache-control");
    for (name, argument) in control.iter().flat_map(|value| directives(value)) {
        match name.as_str() {
            "no-store" | "private" => return Use::Once,
            "no-cache" => cacheable = false,
            "max-age" | "s-maxage" => {
                // What is no number is taken for stale. A number too large for us is for ever.
                let digits = argument
                    .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
                let seconds = digits.map_or(0, |digits| digits.parse().unwrap_or(u64::MAX));
                age_max = Some(age_max.map_or(seconds, |before| before.min(seconds)));
            }
            _ => {}
        }
    }
    if text("vary").is_some_and(|value| value.split(',').any(|name| name.trim() == "*")) {
        return Use::Once;
    }
    if control.is_none()
        && text("pragma").is_some_and(|value| value.to_ascii_lowercase().contains("no-cache"))
    {
        cacheable = false;
    }
    if !(200..300).contains(&status) || status == 206 || !cacheable {
        return Use::Together;
    }
    let age = text("age").and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or(0);
    let lifetime = match age_max {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => text("expires").map(|expires| until_expires(&expires, text("date").as_deref())),
    };
    let lifetime = lifetime.map_or(most, |said| said.saturating_sub(Duration::from_secs(age)).min(most));
    if lifetime.is_zero() { Use::Together } else { Use::For(lifetime) }
}

/// The time from `Date` to `Expires`; what is no date has expired.
fn until_expires(expires: &str, date: Option<&str>) -> Duration {
    let parse = |text: &str| httpdate::parse_http_date(text.trim()).ok();
    let date = date.and_then(parse).unwrap_or_else(std::time::SystemTime::now);
    parse(expires).and_then(|expires| expires.duration_since(date).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(status: u16, headers: &[(&'static str, &'static str)]) -> Use {
        let header =
            |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_bytes());
        usage(status, header, Duration::from_mins(5))
    }

    fn secs(seconds: u64) -> Use {
        Use::For(Duration::from_secs(seconds))
    }

    #[test]
    fn an_answer_is_kept_as_long_as_the_setting_and_the_server_say() {
        assert_eq!(used(200, &[]), secs(300));
        assert_eq!(used(204, &[("cache-control", "public, max-age=60")]), secs(60));
        assert_eq!(used(200, &[("cache-control", "MAX-AGE=\"60\"")]), secs(60));
        assert_eq!(used(200, &[("cache-control", "max-age=86400")]), secs(300));
        assert_eq!(used(200, &[("cache-control", "max-age=99999999999999999999999")]), secs(300));
        assert_eq!(used(200, &[("cache-control", "max-age=60, s-maxage=20"), ("age", "5")]), secs(15));
        assert_eq!(used(200, &[("vary", "accept, authorization")]), secs(300));
        let date = ("date", "Mon, 30 Nov 2026 00:00:00 GMT");
        assert_eq!(used(200, &[date, ("expires", "Mon, 30 Nov 2026 00:00:30 GMT")]), secs(30));
    }

    #[test]
    fn what_is_not_to_be_kept_is_not() {
        for (name, value) in [
            ("cache-control", "no-cache"),
            ("cache-control", "max-age=0"),
            ("cache-control", "max-age=-1"),
            ("cache-control", "max-age=x"),
            ("cache-control", "max-age"),
            ("pragma", "no-cache"),
            ("expires", "0"),
            ("expires", "Mon, 30 Nov 2020 00:00:00 GMT"),
        ] {
            assert_eq!(used(200, &[(name, value)]), Use::Together, "{name}: {value}");
        }
        for status in [100, 199, 206, 300, 301, 302, 304, 400, 404, 429, 500, 503] {
            assert_eq!(used(status, &[("cache-control", "max-age=60")]), Use::Together);
        }
        assert_eq!(used(200, &[("cache-control", "max-age=60"), ("age", "61")]), Use::Together);
    }

    #[test]
    fn what_is_for_one_request_is_not_shared() {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("cache-control", "max-age=60, No-Store"),
            ("cache-control", "private=\"x\", max-age=60"),
            ("vary", "accept, *"),
        ] {
            assert_eq!(used(200, &[(name, value)]), Use::Once, "{name}: {value}");
            assert_eq!(used(500, &[(name, value)]), Use::Once, "{name}: {value}");
        }
    }

    #[test]
    fn a_script_may_go_past_the_cache() {
        let wish = |name: &str, value: &str| {
            let mut headers = Headers::new();
            headers.set(name.as_bytes(), value.as_bytes()).unwrap();
            super::wish(&headers)
        };
        assert_eq!(wish("Cache-Control", "no-cache, no-store"), Wish::Private);
        assert_eq!(wish("cache-control", "max-age=0"), Wish::Reload);
        assert_eq!(wish("Pragma", "no-cache"), Wish::Reload);
        assert_eq!(wish("Cache-Control", "max-age=5"), Wish::Fresh);
    }
}
