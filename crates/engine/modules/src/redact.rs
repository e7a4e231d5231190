//! Hiding what an event knows of secrets.
//!
//! A secret is looked for as it is, as the inside of a JSON string, as URLs write it, and in base64, at each
//! of the three offsets that it may have in a longer text. Hidden is also a beginning of a secret, from 16
//! bytes on. A script that means to leak can still take a secret apart or change it: this is for accidents,
//! and the documents say so.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use howk_contract::Headers;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroize;

/// Text that stands for a secret.
pub const REDACTED: &str = "[redacted]";
/// Fewest bytes of a secret: what is shorter is part of any text.
const SECRET_BYTES_MIN: usize = 4;
/// Bytes of a pattern that are searched for; what follows is compared.
const HEAD_BYTES: usize = 16;
/// Most patterns of an event. Beyond, nothing is shown at all.
const PATTERNS_MAX: usize = 4096;
/// Most bytes of a secret that is looked for in other forms than its own.
const FORMS_BYTES_MAX: usize = 64 << 10;

/// The secrets of an event.
#[derive(Default)]
pub(crate) struct Redactor {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Patterns in order, each once.
    patterns: Vec<Vec<u8>>,
    overflow: bool,
    /// Search for the heads of all patterns; none if a pattern came since, or there is none.
    search: Option<AhoCorasick>,
}

impl Drop for State {
    fn drop(&mut self) {
        self.patterns.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// True if headers or fields of this name hold credentials.
pub(crate) fn names_a_secret(name: &str) -> bool {
    howk_contract::names_a_secret(name)
}

impl Redactor {
    /// Hides a secret from now on. What is decrypted is often JSON: its strings are secrets, too.
    pub(crate) fn hide(&self, secret: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.add_forms(secret);
        state.add_forms(secret.trim_ascii());
        if secret.len() <= FORMS_BYTES_MAX
            && let Ok(value) = serde_json::from_slice(secret)
        {
            state.add_leaves(&value);
        }
    }

    /// Hides the credentials of a header: the value, what follows its scheme, and what that is in base64.
    pub(crate) fn hide_header(&self, name: &str, value: &str) {
        if !names_a_secret(name) {
            return;
        }
        self.hide(value.as_bytes());
        let Some((scheme, credentials)) = value.split_once(' ') else { return };
        let credentials = credentials.trim();
        self.hide(credentials.as_bytes());
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(plain) = STANDARD_NO_PAD.decode(credentials.trim_end_matches('='))
        {
            self.hide(&plain);
            if let Some(at) = plain.iter().position(|byte| *byte == b':') {
                self.hide(&plain[at + 1..]);
            }
        }
    }

    /// Hides the credentials among headers.
    pub(crate) fn hide_headers(&self, headers: &Headers) {
        headers.iter().for_each(|(name, value)| self.hide_header(name, value));
    }

    /// A text without secrets, of at most `limit` bytes of the original, and whether it was cut.
    pub(crate) fn show(&self, text: &[u8], limit: usize) -> (String, bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = text.len() > limit;
        if state.overflow {
            return ("[redacted: this event has too many secrets]".into(), cut);
        }
        // A secret that begins before the limit may end behind it.
        let window = &text[..text.len().min(limit + HEAD_BYTES)];
        let mut shown = Vec::with_capacity(window.len());
        let mut at = 0;
        for (from, to) in state.secrets_in(window) {
            if from >= limit {
                break;
            }
            shown.extend_from_slice(&window[at..from]);
            shown.extend_from_slice(REDACTED.as_bytes());
            at = to;
        }
        shown.extend_from_slice(&window[at.min(limit)..window.len().min(limit).max(at.min(limit))]);
        (String::from_utf8_lossy(&shown).into_owned(), cut)
    }
}

impl State {
    fn add(&mut self, pattern: &[u8]) {
        if pattern.len() < SECRET_BYTES_MIN {
            return;
        }
        let Err(at) = self.patterns.binary_search_by(|known| known.as_slice().cmp(pattern)) else { return };
        if self.patterns.len() >= PATTERNS_MAX {
            self.overflow = true;
            return;
        }
        self.patterns.insert(at, pattern.to_vec());
        self.search = None;
    }

    fn add_forms(&mut self, secret: &[u8]) {
        self.add(secret);
        if secret.len() < SECRET_BYTES_MIN || self.overflow {
            return;
        }
        let secret = &secret[..secret.len().min(FORMS_BYTES_MAX)];
        if let Ok(text) = std::str::from_utf8(secret) {
            let mut quoted = serde_json::Value::from(text).to_string();
            self.add(&quoted.as_bytes()[1..quoted.len() - 1]);
            quoted.zeroize();
        }
        let mut encoded: String = url::form_urlencoded::byte_serialize(secret).collect();
        self.add(encoded.as_bytes());
        self.add(encoded.replace('+', "%20").as_bytes());
        encoded.zeroize();
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            for offset in 0..3 {
                self.add_base64(&engine, secret, offset);
            }
        }
    }

    /// The digits of a secret that stands `offset` bytes behind the beginning of a group of three: those that
    /// depend on nothing in front of it and nothing behind.
    fn add_base64(&mut self, engine: &impl Engine, secret: &[u8], offset: usize) {
        let mut padded = vec![0; offset];
        padded.extend_from_slice(secret);
        let mut digits = engine.encode(&padded);
        let first = (offset * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        self.add(digits.as_bytes().get(first..last).unwrap_or_default());
        padded.zeroize();
        digits.zeroize();
    }

    fn add_leaves(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => self.add_forms(text.as_bytes()),
            serde_json::Value::Number(number) => self.add_forms(number.to_string().as_bytes()),
            serde_json::Value::Array(values) => values.iter().for_each(|value| self.add_leaves(value)),
            serde_json::Value::Object(fields) => fields.values().for_each(|value| self.add_leaves(value)),
            serde_json::Value::Null | serde_json::Value::Bool(_) => {}
        }
    }

    /// Ranges of secrets, in order and apart.
    fn secrets_in(&mut self, text: &[u8]) -> Vec<(usize, usize)> {
        if self.patterns.is_empty() {
            return Vec::new();
        }
        if self.search.is_none() {
            let heads = self.patterns.iter().map(|pattern| &pattern[..pattern.len().min(HEAD_BYTES)]);
            self.search = AhoCorasick::builder().match_kind(MatchKind::Standard).build(heads).ok();
        }
        // Without a search nothing is known to be no secret.
        let Some(search) = &self.search else { return vec![(0, text.len())] };
        let mut heads: Vec<(usize, usize)> =
            search.find_overlapping_iter(text).map(|head| (head.start(), head.end())).collect();
        heads.sort_unstable();
        let mut apart: Vec<(usize, usize)> = Vec::new();
        let mut extended_from = None;
        for (from, mut to) in heads {
            if apart.last().is_some_and(|(_, end)| *end == text.len()) {
                break;
            }
            if extended_from != Some(from) {
                extended_from = Some(from);
                to = to.max(from + self.longest_beginning(&text[from..]));
            }
            match apart.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => apart.push((from, to)),
            }
        }
        apart
    }

    /// Number of bytes, at least `HEAD_BYTES` or 0, that a text has in common with the pattern that fits
    /// best: in order, that is one of its neighbours.
    fn longest_beginning(&self, text: &[u8]) -> usize {
        let at = self.patterns.partition_point(|pattern| pattern.as_slice() <= text);
        let neighbours = self.patterns[at.saturating_sub(1)..self.patterns.len().min(at + 1)].iter();
        let longest = neighbours.map(|pattern| common_bytes(pattern, text)).max().unwrap_or(0);
        if longest < HEAD_BYTES { 0 } else { longest }
    }
}

/// Number of bytes that two texts begin with in common.
fn common_bytes(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = 32;
    let steps = a.chunks_exact(STEP).zip(b.chunks_exact(STEP)).take_while(|(a, b)| a == b).count();
    let at = steps * STEP;
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(secrets: &[&str], text: &str) -> String {
        let redactor = Redactor::default();
        for secret in secrets {
            redactor.hide(secret.as_bytes());
        }
        redactor.show(text.as_bytes(), 4096).0
    }

    #[test]
    fn a_secret_is_hidden_in_all_its_forms() {
        let secret = "s3cr\"et/pass+word?";
        for text in [
            secret.to_owned(),
            serde_json::Value::from(secret).to_string(),
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        ] {
            let shown = shown(&[secret], &format!("before {text} after"));
            assert!(shown.starts_with("before ") && shown.ends_with(" after"), "{shown}");
            assert!(shown.contains(REDACTED), "{text}: {shown}");
            assert!(shown.len() <= "before  after".len() + REDACTED.len() + 6, "{text}: {shown}");
        }
    }

    #[test]
    fn strings_of_decrypted_json_are_secrets() {
        let json = r#"{"user":"someone","nested":[{"password":"hunter22"}],"pin":123456,"ok":true}"#;
        assert_eq!(shown(&[json], "someone hunter22 123456 true"), "[redacted] [redacted] [redacted] true");
    }

    #[test]
    fn credentials_of_headers_are_secrets() {
        let redactor = Redactor::default();
        redactor.hide_header("AUTHORIZATION", "Bearer abcdefgh");
        redactor.hide_header("Authorization", "Basic dXNlcjpwYXNzd29yZA==");
        redactor.hide_header("Content-Type", "text/plain");
        let (shown, _) =
            redactor.show(b"abcdefgh user:password password dXNlcjpwYXNzd29yZA== text/plain", 4096);
        assert_eq!(shown, "[redacted] [redacted] [redacted] [redacted] text/plain");
    }

    #[test]
    fn a_secret_at_the_limit_is_hidden_whole() {
        let redactor = Redactor::default();
        redactor.hide(b"0123456789abcdefghijklmnop");
        for limit in 0..60 {
            let (shown, cut) =
                redactor.show(b"................0123456789abcdefghijklmnop................", limit);
            assert_eq!(cut, limit < 58);
            assert!(!shown.contains('0'), "{limit}: {shown}");
            assert_eq!(shown.contains(REDACTED), limit > 16, "{limit}: {shown}");
        }
    }

    #[test]
    fn too_many_secrets_hide_everything() {
        let redactor = Redactor::default();
        for number in 0..PATTERNS_MAX {
            redactor.hide(format!("secret number {number}").as_bytes());
        }
        assert_eq!(redactor.show(b"harmless", 4096).0, "[redacted: this event has too many secrets]");
    }

    proptest! {
        #[test]
        fn no_secret_is_shown(
            secret in "[ -~]{4,40}",
            before in "[ -~]{0,40}",
            after in "[ -~]{0,40}",
            limit in 1usize..140,
        ) {
            let redactor = Redactor::default();
            redactor.hide(secret.as_bytes());
            for text in [format!("{before}{secret}{after}"), STANDARD_NO_PAD.encode(format!("{before}{secret}{after}"))] {
                let (shown, _) = redactor.show(text.as_bytes(), limit);
                // What the mark itself and the surroundings put together is no leak.
                let pieces: Vec<&str> = shown.split(REDACTED).collect();
                prop_assert!(pieces.iter().all(|piece| !piece.contains(&secret)), "{shown}");
                let plain = STANDARD_NO_PAD.decode(&shown).unwrap_or_default();
                prop_assert!(!plain.windows(secret.len()).any(|window| window == secret.as_bytes()), "{shown}");
            }
        }

        #[test]
        fn texts_without_secrets_are_shown_as_they_are(text: String, limit in 0usize..100) {
            let redactor = Redactor::default();
            redactor.hide(b"not in there at all");
            let (shown, cut) = redactor.show(text.as_bytes(), limit);
            let most = text.len().min(limit);
            prop_assert_eq!(shown, String::from_utf8_lossy(&text.as_bytes()[..most]));
            prop_assert_eq!(cut, text.len() > limit);
        }
    }
}
