//! Output of Lua that the host has not been given yet.

use crate::host::Stream;

/// Bytes of a segment's head: stream and length.
pub(crate) const SEGMENT_HEAD_BYTES: usize = 5;

/// Captured output: segments of u8 stream, u32 length, bytes.
#[derive(Debug, Default)]
pub(crate) struct Output {
    segments: Vec<u8>,
    /// Start of the last segment, and its stream.
    last: Option<(usize, Stream)>,
}

impl Output {
    /// The segments, in order.
    pub(crate) fn segments(&self) -> &[u8] {
        &self.segments
    }

    pub(crate) fn clear(&mut self) {
        self.segments.clear();
        self.last = None;
    }

    pub(crate) fn append(&mut self, stream: Stream, bytes: &[u8]) -> bool {
        if self.segments.try_reserve(SEGMENT_HEAD_BYTES + bytes.len()).is_err() {
            return false;
        }
        let start = match self.last {
            Some((start, of)) if of == stream => start,
            _ => {
                let start = self.segments.len();
                self.segments.push(stream as u8);
                self.segments.extend_from_slice(&[0; 4]);
                self.last = Some((start, stream));
                start
            }
        };
        self.segments.extend_from_slice(bytes);
        let len = (self.segments.len() - start - SEGMENT_HEAD_BYTES) as u32;
        self.segments[start + 1..start + SEGMENT_HEAD_BYTES].copy_from_slice(&len.to_le_bytes());
        true
    }
}
