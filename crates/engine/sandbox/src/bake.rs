//! Makes a module of another one, with a memory that is set up already.

use std::borrow::Cow;
use wasm_encoder::{
    ConstExpr, DataCountSection, DataSection, ExportKind, ExportSection, MemorySection, MemoryType, Module,
    RawSection,
};
use wasmparser::{ExternalKind, Parser, Payload};

/// Bytes that are looked at together for zeros.
const CHUNK_BYTES: usize = 64;
/// Chunks of zeros that are written rather than begin a segment of their own.
const GAP_CHUNKS: usize = 8;

/// The module with `memory` as its initial memory, and of its exports only `exports`. Sections for tools are
/// left out.
///
/// # Errors
/// The module is none, or has other than one memory.
pub(crate) fn bake(
    wasm: &[u8],
    memory: &[u8],
    page_bytes: usize,
    exports: &[&str],
) -> Result<Vec<u8>, String> {
    let mut module = Module::new();
    let mut memories = 0;
    let segments = segments(memory);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| error.to_string())?;
        match payload {
            Payload::MemorySection(section) => {
                let mut out = MemorySection::new();
                for memory_type in section {
                    let memory_type = memory_type.map_err(|error| error.to_string())?;
                    memories += 1;
                    out.memory(MemoryType {
                        minimum: (memory.len() / page_bytes) as u64,
                        maximum: memory_type.maximum,
                        memory64: memory_type.memory64,
                        shared: memory_type.shared,
                        page_size_log2: memory_type.page_size_log2,
                    });
                }
                module.section(&out);
            }
            Payload::ExportSection(section) => {
                let mut out = ExportSection::new();
                for export in section {
                    let export = export.map_err(|error| error.to_string())?;
                    let kind = match export.kind {
                        ExternalKind::Func => ExportKind::Func,
                        ExternalKind::Memory => ExportKind::Memory,
                        _ => continue,
                    };
                    if exports.contains(&export.name) {
                        out.export(export.name, kind, export.index);
                    }
                }
                module.section(&out);
            }
            Payload::DataCountSection { .. } => {
                module.section(&DataCountSection { count: segments.len() as u32 });
            }
            Payload::DataSection(_) => {
                let mut out = DataSection::new();
                for (at, bytes) in &segments {
                    // Addresses of wasm32, as signed numbers.
                    out.active(0, &ConstExpr::i32_const(*at as u32 as i32), bytes.iter().copied());
                }
                module.section(&out);
            }
            Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = wasm.get(range.start as usize..range.end as usize).unwrap_or_default();
                    module.section(&RawSection { id, data });
                }
            }
        }
    }
    if memories == 1 { Ok(module.finish()) } else { Err(format!("the module has {memories} memories")) }
}

/// The parts of a memory that are not zeros, with their addresses.
fn segments(memory: &[u8]) -> Vec<(usize, Cow<'_, [u8]>)> {
    let mut segments: Vec<(usize, usize)> = Vec::new();
    for (number, chunk) in memory.chunks(CHUNK_BYTES).enumerate() {
        if chunk.iter().all(|byte| *byte == 0) {
            continue;
        }
        let at = number * CHUNK_BYTES;
        match segments.last_mut() {
            Some((_, end)) if at - *end <= GAP_CHUNKS * CHUNK_BYTES => *end = at + chunk.len(),
            _ => segments.push((at, at + chunk.len())),
        }
    }
    segments.into_iter().map(|(at, end)| (at, Cow::Borrowed(&memory[at..end]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn segments_have_all_that_is_not_zero(
            runs in proptest::collection::vec((0usize..4000, proptest::collection::vec(any::<u8>(), 0..200)), 0..20),
        ) {
            let mut memory = vec![0; 4200];
            for (at, bytes) in &runs {
                memory[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            let mut copy = vec![0; memory.len()];
            let mut last = 0;
            for (at, bytes) in segments(&memory) {
                prop_assert!(at >= last);
                copy[at..at + bytes.len()].copy_from_slice(&bytes);
                last = at + bytes.len();
            }
            prop_assert_eq!(copy, memory);
        }
    }
}
