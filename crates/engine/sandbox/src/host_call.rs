//! Calls of modules, as values one behind another, and their answers, as lists. Requests come from a VM:
//! nothing of them is trusted.

use bytes::Bytes;
use howk_contract::{LogLevel, ModuleCall, ModuleReply, ScriptError};
use perilune::value::{Decoder, Encoder, FormatError, Token};

/// Numbers of the functions: the prelude has the same (guest/src/prelude.lua).
mod number {
    pub(super) const HTTP_GET: i64 = 1;
    pub(super) const KV_GET: i64 = 2;
    pub(super) const KV_SET: i64 = 3;
    pub(super) const KV_DEL: i64 = 4;
    pub(super) const DECRYPT: i64 = 5;
    pub(super) const LOG: i64 = 6;
}

/// A request that no prelude of ours makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the module has made a call that is none of its functions'")]
pub(crate) struct NoCall;

impl From<FormatError> for NoCall {
    fn from(_: FormatError) -> Self {
        NoCall
    }
}

/// Reads a request.
pub(crate) fn read(request: &[u8]) -> Result<ModuleCall, NoCall> {
    let mut args = Args(Decoder::new(request));
    let Token::Integer(function) = args.next()? else { return Err(NoCall) };
    let call = match function {
        number::HTTP_GET => ModuleCall::HttpGet { url: args.string()?, headers: args.headers()? },
        number::KV_GET => ModuleCall::KvGet { key: args.string()? },
        number::KV_SET => {
            ModuleCall::KvSet { key: args.string()?, value: args.string()?, ttl_seconds: args.seconds()? }
        }
        number::KV_DEL => ModuleCall::KvDel { key: args.string()? },
        number::DECRYPT => {
            let (key_name, symmetric_key) = (args.string()?, args.string_or_nil()?);
            ModuleCall::Decrypt { key_name, symmetric_key, data: args.string()? }
        }
        number::LOG => {
            let level = match &args.string()?[..] {
                b"info" => LogLevel::Info,
                b"warn" => LogLevel::Warn,
                b"error" => LogLevel::Error,
                _ => return Err(NoCall),
            };
            ModuleCall::Log { level, message: args.string()?, fields: args.string_or_nil()? }
        }
        _ => return Err(NoCall),
    };
    args.0.finish()?;
    Ok(call)
}

/// The arguments that are left.
struct Args<'a>(Decoder<'a>);

impl<'a> Args<'a> {
    /// The next value. Behind the last one come nils, as in Lua.
    fn next(&mut self) -> Result<Token<'a>, NoCall> {
        if self.0.remaining() == 0 { Ok(Token::Nil) } else { Ok(self.0.token()?) }
    }

    fn string(&mut self) -> Result<Bytes, NoCall> {
        self.string_or_nil()?.ok_or(NoCall)
    }

    fn string_or_nil(&mut self) -> Result<Option<Bytes>, NoCall> {
        match self.next()? {
            Token::String(bytes) => Ok(Some(Bytes::copy_from_slice(bytes))),
            Token::Nil => Ok(None),
            _ => Err(NoCall),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "2^53 seconds are for ever")]
    fn seconds(&mut self) -> Result<Option<f64>, NoCall> {
        match self.next()? {
            Token::Integer(seconds) => Ok(Some(seconds as f64)),
            Token::Float(seconds) => Ok(Some(seconds)),
            Token::Nil => Ok(None),
            _ => Err(NoCall),
        }
    }

    fn headers(&mut self) -> Result<Vec<(Bytes, Bytes)>, NoCall> {
        let Token::Table { array: 0, pairs } = self.next()? else { return Err(NoCall) };
        let mut string = || match self.0.token()? {
            Token::String(bytes) => Ok(Bytes::copy_from_slice(bytes)),
            _ => Err(NoCall),
        };
        (0..pairs).map(|_| Ok((string()?, string()?))).collect()
    }
}

/// Kind of answer that a call may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    StringOrNil,
    String,
    Response,
}

impl Answer {
    /// The answer that a call may have.
    pub(crate) fn of(call: &ModuleCall) -> Answer {
        match call {
            ModuleCall::HttpGet { .. } => Answer::Response,
            ModuleCall::KvGet { .. } => Answer::StringOrNil,
            ModuleCall::Decrypt { .. } => Answer::String,
            ModuleCall::KvSet { .. } | ModuleCall::KvDel { .. } | ModuleCall::Log { .. } => Answer::Nothing,
        }
    }

    /// True if a reply is such an answer. One that is not is a fault of the host.
    pub(crate) fn fits(self, reply: &ModuleReply) -> bool {
        match reply {
            ModuleReply::Nil => matches!(self, Answer::Nothing | Answer::StringOrNil),
            ModuleReply::Bytes(_) => matches!(self, Answer::String | Answer::StringOrNil),
            ModuleReply::Response { .. } => self == Answer::Response,
        }
    }
}

/// Writes an answer: true and its values, or false and the error's type, message, and whether it may be tried
/// again.
pub(crate) fn write(answer: &Result<ModuleReply, ScriptError>) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::new();
    let mut out = Encoder::new(&mut bytes);
    match answer {
        Ok(ModuleReply::Nil) => {
            out.u32(1)?;
            out.boolean(true)?;
        }
        Ok(ModuleReply::Bytes(value)) => {
            out.u32(2)?;
            out.boolean(true)?;
            out.string(value)?;
        }
        Ok(ModuleReply::Response { status_code, headers, body }) => {
            out.u32(4)?;
            out.boolean(true)?;
            out.integer(i64::from(*status_code))?;
            out.string(body)?;
            out.table(0, u32::try_from(headers.len()).map_err(|_| FormatError::OutOfMemory)?)?;
            for (name, value) in headers {
                out.string(name.as_bytes())?;
                out.string(value)?;
            }
        }
        Err(error) => {
            out.u32(4)?;
            out.boolean(false)?;
            out.string(error.error_type.as_str().as_bytes())?;
            out.string(error.message.as_bytes())?;
            out.boolean(error.retryable)?;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(write: impl FnOnce(&mut Encoder<'_>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut Encoder::new(&mut bytes));
        bytes
    }

    #[test]
    fn trailing_nils_may_be_left_out_and_nothing_else() {
        let set = |with_ttl: bool| {
            request(|out| {
                out.integer(number::KV_SET).unwrap();
                out.string(b"k").unwrap();
                out.string(b"v").unwrap();
                if with_ttl {
                    out.nil().unwrap();
                }
            })
        };
        let expected = ModuleCall::KvSet { key: "k".into(), value: "v".into(), ttl_seconds: None };
        assert_eq!(read(&set(true)).unwrap(), expected);
        assert_eq!(read(&set(false)).unwrap(), expected);
        let mut more = set(true);
        more.push(0);
        assert_eq!(read(&more), Err(NoCall));
        let short = request(|out| out.integer(number::KV_GET).unwrap());
        assert_eq!(read(&short), Err(NoCall));
        for function in [0, 7, -1, i64::MAX] {
            assert_eq!(read(&request(|out| out.integer(function).unwrap())), Err(NoCall));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_call_or_refused(function in 0i64..9, bytes: Vec<u8>) {
            let _ = read(&bytes);
            let mut call = request(|out| out.integer(function).unwrap());
            call.extend_from_slice(&bytes);
            let _ = read(&call);
        }
    }
}
