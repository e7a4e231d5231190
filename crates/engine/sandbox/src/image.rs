//! The image of a script: what it adds to a VM's memory once it is compiled.

/// Bytes that are compared, and copied, together.
const CHUNK_BYTES: usize = 256;

/// The runs of a memory that differ from the base's.
#[derive(Debug)]
pub(crate) struct Image {
    runs: Vec<(usize, Box<[u8]>)>,
    /// Bytes of the whole memory.
    memory_bytes: usize,
    /// Bytes that the image takes here.
    bytes: usize,
}

impl Image {
    /// Takes what differs between a memory and the base, from the end of the stack on: what lies in that is
    /// of no call.
    pub(crate) fn of(memory: &[u8], base: &[u8], stack_bytes: usize) -> Image {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for at in (stack_bytes..memory.len()).step_by(CHUNK_BYTES) {
            let end = (at + CHUNK_BYTES).min(memory.len());
            let now = &memory[at..end];
            let is_same = match base.get(at..end) {
                Some(before) => now == before,
                None => now.iter().all(|byte| *byte == 0),
            };
            match runs.last_mut() {
                _ if is_same => {}
                Some((_, last)) if *last == at => *last = end,
                _ => runs.push((at, end)),
            }
        }
        let runs: Vec<(usize, Box<[u8]>)> =
            runs.into_iter().map(|(at, end)| (at, Box::from(&memory[at..end]))).collect();
        let bytes = runs.iter().map(|(_, run)| run.len() + size_of::<(usize, Box<[u8]>)>()).sum();
        Image { runs, memory_bytes: memory.len(), bytes }
    }

    /// Bytes that the image takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the memory that it is for.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Makes a memory that is the base's, of the image's size, what the image was made of.
    pub(crate) fn copy_to(&self, memory: &mut [u8]) {
        for (at, run) in &self.runs {
            memory[*at..*at + run.len()].copy_from_slice(run);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_copy_is_the_memory_that_it_was_made_of(
            grown in 0usize..1000,
            writes in proptest::collection::vec((300usize..5000, any::<u8>()), 0..60),
        ) {
            let base: Vec<u8> = (0..4000u32).map(|n| (n % 7) as u8).collect();
            let mut memory = base.clone();
            memory.resize(base.len() + grown, 0);
            for (at, byte) in &writes {
                if let Some(place) = memory.get_mut(*at) {
                    *place = *byte;
                }
            }
            let image = Image::of(&memory, &base, 300);
            let mut copy = base.clone();
            copy.resize(image.memory_bytes(), 0);
            image.copy_to(&mut copy);
            prop_assert_eq!(copy, memory);
            prop_assert!(image.bytes() <= (writes.len() + 1) * (CHUNK_BYTES + 24));
        }
    }
}
