//! Input of the VM, as a list in bytes (docs/codec.md of the core, section 2).

use howk_contract::EventInput;
use perilune::value::{Encoder, FormatError};

/// Bytes of the list around payload and headers, roughly.
const AROUND_BYTES: usize = 512;

/// The input of `load`: its handle, and the source.
pub(crate) fn source_list(handle: u32, source: &[u8]) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::with_capacity(source.len() + AROUND_BYTES);
    let mut out = Encoder::new(&mut bytes);
    out.u32(2)?;
    out.integer(i64::from(handle))?;
    out.string(source)?;
    Ok(bytes)
}

/// The input of `run`: its handle, payload, headers, metadata, and the previous error.
pub(crate) fn event_list(handle: u32, input: &EventInput) -> Result<Vec<u8>, FormatError> {
    let headers_bytes: usize = input.headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    let mut bytes = Vec::with_capacity(input.payload.len() + headers_bytes + AROUND_BYTES);
    let mut out = Encoder::new(&mut bytes);
    out.u32(5)?;
    out.integer(i64::from(handle))?;
    out.string(&input.payload)?;
    out.table(0, u32::try_from(input.headers.len()).map_err(|_| FormatError::OutOfMemory)?)?;
    for (name, value) in input.headers.iter() {
        out.string(name.as_bytes())?;
        out.string(value.as_bytes())?;
    }
    let metadata = &input.metadata;
    out.table(0, 5)?;
    out.string(b"webhook_id")?;
    out.string(metadata.webhook_id.as_bytes())?;
    out.string(b"config_id")?;
    out.string(metadata.config_id.as_str().as_bytes())?;
    out.string(b"attempt")?;
    out.integer(i64::from(metadata.attempt))?;
    out.string(b"max_attempts")?;
    out.integer(i64::from(metadata.max_attempts))?;
    out.string(b"created_at")?;
    out.string(metadata.created_at.to_string().as_bytes())?;
    let Some(error) = &input.previous_error else {
        out.nil()?;
        return Ok(bytes);
    };
    out.table(0, 4 + u32::from(error.status_code.is_some()))?;
    out.string(b"type")?;
    out.string(error.error_type.as_bytes())?;
    out.string(b"message")?;
    out.string(error.message.as_bytes())?;
    if let Some(code) = error.status_code {
        out.string(b"status_code")?;
        out.integer(i64::from(code))?;
    }
    out.string(b"attempt")?;
    out.integer(i64::from(error.attempt))?;
    out.string(b"retryable")?;
    out.boolean(error.retryable)?;
    Ok(bytes)
}
