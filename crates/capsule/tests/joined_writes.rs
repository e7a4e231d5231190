//! Writes of a write-ahead log that the module joins (crates/capsule-wasm), against a file that gets each by
//! itself.

#[path = "exactness/random.rs"]
#[allow(dead_code, reason = "one of its functions is for others")]
mod random;

#[path = "../../capsule-wasm/src/joined_writes.rs"]
mod joined_writes;

use joined_writes::JoinedWrites;
use random::Random;

const HEADER: usize = 24;

fn put(file: &mut Vec<u8>, bytes: &[u8], offset: u64) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    file.resize(file.len().max(end), 0);
    file[start..end].copy_from_slice(bytes);
}

/// Frames of random transactions, which sometimes begin anew at an earlier place: after each commit the file
/// of the host has all bytes, and it never has bytes that were not written in this order.
#[test]
fn the_host_has_every_commit_when_its_last_write_has_returned() {
    for seed in 1..=40 {
        let mut random = Random::new(seed);
        let (mut joined, mut file, mut model) = (JoinedWrites::default(), Vec::new(), Vec::new());
        let page = [64, 512, 8192, 300_000][random.below(4)];
        let (mut at, mut writes, mut parts) = (0, 0, 0);
        for _ in 0..40 {
            if random.one_in(5) {
                // The log begins anew, or a transaction was taken back.
                at = (HEADER + page) as u64 * random.below(3) as u64;
            }
            let frames = 1 + random.below(6);
            for frame in 1..=frames {
                let ends = frame == frames && !random.one_in(8);
                let mut header = [random.below(256) as u8; HEADER];
                header[4..8].copy_from_slice(&(u32::from(ends) * 7).to_be_bytes());
                for part in [&header[..], &vec![random.below(256) as u8; page]] {
                    put(&mut model, part, at);
                    let host = |bytes: &[u8], offset| -> Result<(), ()> {
                        put(&mut file, bytes, offset);
                        writes += 1;
                        Ok(())
                    };
                    joined.write(part, at, host).expect("the host takes it");
                    assert!(joined.end() == 0 || joined.end() == at + part.len() as u64);
                    at += part.len() as u64;
                    parts += 1;
                }
                if ends {
                    assert_eq!(file, model, "seed {seed}");
                    assert_eq!(joined.end(), 0, "seed {seed}");
                }
            }
        }
        // Pages that are longer than what is held back go their way at once.
        assert!(page > 8192 || writes * 3 < parts * 2, "seed {seed}: {writes} writes of {parts}");
        joined
            .flush(|bytes, offset| -> Result<(), ()> {
                put(&mut file, bytes, offset);
                Ok(())
            })
            .expect("it is written");
        assert_eq!(file, model, "seed {seed}");
    }
}

#[test]
fn a_failure_is_that_of_the_commit_and_leaves_nothing_behind() {
    let mut joined = JoinedWrites::default();
    let mut header = [0; HEADER];
    joined.write(&header, 32, |_, _| Err(())).expect("it is held back");
    joined.write(&[1; 512], 56, |_, _| Err(())).expect("it is held back");
    header[7] = 1;
    joined.write(&header, 568, |_, _| Err(())).expect("it is held back");
    joined.write(&[2; 512], 592, |_, _| Err(())).expect_err("the commit has failed");
    let mut written = Vec::new();
    let host = |bytes: &[u8], offset: u64| -> Result<(), ()> {
        written.push((bytes.len(), offset));
        Ok(())
    };
    joined.flush(host).expect("there is nothing");
    assert_eq!(written, []);
}
