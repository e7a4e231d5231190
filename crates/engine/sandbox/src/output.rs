//! Output of a VM: the list of its results, or an error record. Nothing of it is trusted.

use crate::errors;
use bytes::Bytes;
use howk_contract::{ErrorType, Headers, OutputLimits, RawTransform, ScriptError, Transform};
use perilune::value::{Decoder, FormatError, Token};

/// Bytes that no guest of ours leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the module has left something behind that is no result")]
pub(crate) struct NoResult;

impl From<FormatError> for NoResult {
    fn from(_: FormatError) -> Self {
        NoResult
    }
}

/// Reads the results of `load`: whether the script compiles.
pub(crate) fn read_load(list: &[u8]) -> Result<Result<(), ScriptError>, NoResult> {
    let mut list = Decoder::new(list);
    let count = list.count()?;
    let answer = match (list.token()?, count) {
        (Token::Boolean(true), 1) => Ok(()),
        (Token::Boolean(true), 2) => match list.token()? {
            Token::Nil => Ok(()),
            _ => return Err(NoResult),
        },
        (Token::Boolean(false), 2) => match list.token()? {
            Token::String(message) => Err(errors::syntax(message)),
            _ => return Err(NoResult),
        },
        _ => return Err(NoResult),
    };
    list.finish()?;
    Ok(answer)
}

/// Reads the results of `run`, and makes a request of them.
pub(crate) fn read_run(
    list: &[u8],
    webhook: &Headers,
    limits: &OutputLimits,
) -> Result<Result<Transform, ScriptError>, NoResult> {
    let mut list = Decoder::new(list);
    let count = list.count()?;
    let raw = match (list.token()?, count) {
        (Token::Boolean(true), 5) => read_raw(&mut list, webhook, limits)?,
        (Token::Boolean(false), 2) => match list.token()? {
            Token::String(message) => Err(invalid(errors::text(message))),
            _ => return Err(NoResult),
        },
        _ => return Err(NoResult),
    };
    if raw.is_ok() {
        list.finish()?;
    }
    Ok(raw.and_then(|raw| raw.check(webhook, limits)))
}

fn invalid(message: String) -> ScriptError {
    ScriptError::new(ErrorType::InvalidOutput, message)
}

/// Body, headers, headers of the request, and whether default headers are left out. What is over a limit is
/// not copied.
fn read_raw(
    list: &mut Decoder<'_>,
    webhook: &Headers,
    limits: &OutputLimits,
) -> Result<Result<RawTransform, ScriptError>, NoResult> {
    let body = match list.token()? {
        Token::Nil => None,
        Token::String(body) if body.len() > limits.body_bytes => {
            let (len, most) = (body.len(), limits.body_bytes);
            return Ok(Err(invalid(format!("request.body has {len} bytes, and may have {most}"))));
        }
        Token::String(body) => Some(Bytes::copy_from_slice(body)),
        _ => return Err(NoResult),
    };
    let now = match read_headers(list, "headers", limits)? {
        Ok(Some(now)) => now,
        Ok(None) => return Err(NoResult),
        Err(error) => return Ok(Err(error)),
    };
    let request_headers = match read_headers(list, "request.headers", limits)? {
        Ok(headers) => headers.unwrap_or_default(),
        Err(error) => return Ok(Err(error)),
    };
    let opt_out_default_headers = match list.token()? {
        Token::Nil => false,
        Token::Boolean(opt_out) => opt_out,
        _ => return Err(NoResult),
    };
    let raw = RawTransform {
        body,
        header_changes: changes(webhook, &now),
        request_headers: request_headers.into_iter().map(own).collect(),
        opt_out_default_headers,
    };
    Ok(Ok(raw))
}

/// A header as it lies in the VM.
type Header<'a> = (&'a [u8], &'a [u8]);

fn own((name, value): Header<'_>) -> (Bytes, Bytes) {
    (Bytes::copy_from_slice(name), Bytes::copy_from_slice(value))
}

/// A table of headers, in the order of their names; none for nil, and for the table that came before.
fn read_headers<'a>(
    list: &mut Decoder<'a>,
    what: &str,
    limits: &OutputLimits,
) -> Result<Result<Option<Vec<Header<'a>>>, ScriptError>, NoResult> {
    let pairs = match list.token()? {
        Token::Nil | Token::BackReference(0) => return Ok(Ok(None)),
        Token::EmptyList => 0,
        Token::Table { array: 0, pairs } => pairs as usize,
        _ => return Err(NoResult),
    };
    if pairs > limits.headers {
        let most = limits.headers;
        let message = format!("{what} has {pairs} entries, and a request may have {most} headers");
        return Ok(Err(invalid(message)));
    }
    let mut string = || match list.token()? {
        Token::String(bytes) => Ok(bytes),
        _ => Err(NoResult),
    };
    let mut headers = (0..pairs).map(|_| Ok((string()?, string()?))).collect::<Result<Vec<_>, NoResult>>()?;
    // Tables of Lua have no order that anybody could rely on.
    headers.sort_unstable();
    Ok(Ok(Some(headers)))
}

/// Compares a script's headers with the webhook's: those that are new or other ones, and those that are gone.
fn changes(webhook: &Headers, now: &[Header<'_>]) -> Vec<(Bytes, Option<Bytes>)> {
    let is_there = |name: &str| now.iter().any(|(other, _)| name.as_bytes().eq_ignore_ascii_case(other));
    let gone = webhook
        .iter()
        .filter(|(name, _)| !is_there(name))
        .map(|(name, _)| (Bytes::copy_from_slice(name.as_bytes()), None));
    let is_old = |header: &Header<'_>| webhook.iter().any(|(n, v)| (n.as_bytes(), v.as_bytes()) == *header);
    let other = now.iter().filter(|header| !is_old(header)).map(|header| {
        let (name, value) = own(*header);
        (name, Some(value))
    });
    gone.chain(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use perilune::Value;
    use perilune::value::Encoder;
    use proptest::prelude::*;

    fn webhook() -> Headers {
        let mut headers = Headers::new();
        headers.set(b"Content-Type", b"a/b").unwrap();
        headers.set(b"X-One", b"1").unwrap();
        headers
    }

    /// A list of results with these headers.
    fn results(headers: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = Encoder::new(&mut bytes);
        out.u32(5).unwrap();
        out.boolean(true).unwrap();
        out.string(b"body").unwrap();
        out.table(0, headers.len() as u32).unwrap();
        for (name, value) in headers {
            out.string(name).unwrap();
            out.string(value).unwrap();
        }
        out.nil().unwrap();
        out.boolean(true).unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Result<Transform, ScriptError>, NoResult> {
        read_run(bytes, &webhook(), &OutputLimits::default())
    }

    proptest! {
        #[test]
        fn headers_are_what_the_table_has(
            table in proptest::collection::btree_map("[a-c]{1,2}", "[x-z]{1,3}", 0..8),
        ) {
            let pairs: Vec<(&[u8], &[u8])> = table.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
            let transform = read(&results(&pairs)).unwrap().unwrap();
            let mut found: Vec<_> = transform.headers.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            found.sort();
            prop_assert_eq!(found, table.into_iter().collect::<Vec<_>>());
            prop_assert!(transform.opt_out_default_headers);
        }

        #[test]
        fn any_bytes_are_results_or_refused(bytes: Vec<u8>) {
            let _ = (read(&bytes), read_load(&bytes));
        }

        #[test]
        fn damaged_results_are_results_or_refused(writes in proptest::collection::vec((0usize..90, any::<u8>()), 1..6)) {
            let mut bytes = results(&[(b"Content-Type", b"a/b"), (b"B", b"2")]);
            for (at, byte) in writes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let _ = (read(&bytes), read_load(&bytes));
        }

        #[test]
        fn any_list_of_values_is_results_or_refused(
            values in proptest::collection::vec(prop_oneof![
                Just(Value::Nil), any::<bool>().prop_map(Value::Boolean), any::<i64>().prop_map(Value::Integer),
                proptest::collection::vec(any::<u8>(), 0..9).prop_map(Value::String), Just(Value::Null),
                Just(Value::Table(perilune::Table::new())),
            ], 0..7),
        ) {
            let mut bytes = Vec::new();
            perilune::value::encode_list(&values, &mut bytes).unwrap();
            let _ = (read(&bytes), read_load(&bytes));
        }
    }
}
