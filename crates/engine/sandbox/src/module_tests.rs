//! Imports and exports of the guest, as it is built and as it is run.

use crate::bake;
use crate::machine::{EXPORTS, GUEST};
use crate::settings::PAGE_BYTES;
use wasmparser::{Parser, Payload};

/// Names of imports, as `module.name`, and of exports.
fn names(wasm: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::ImportSection(section) => {
                let one = section.into_imports().map(|import| import.unwrap());
                imports.extend(one.map(|import| format!("{}.{}", import.module, import.name)));
            }
            Payload::ExportSection(section) => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.into()));
            }
            _ => {}
        }
    }
    imports.sort();
    exports.sort();
    (imports, exports)
}

#[test]
fn the_guest_imports_and_exports_its_own_and_nothing_else() {
    let (imports, exports) = names(GUEST);
    let expected =
        ["call", "panicked", "random_u64", "running_ms", "take"].map(|name| format!("engine.{name}"));
    assert_eq!(imports, expected);
    // Two constants that rustc has every wasm module export.
    assert_eq!(exports, ["__data_end", "__heap_base", "load", "memory", "run", "setup"]);
}

#[test]
fn events_run_on_a_module_without_anything_else() {
    let memory = vec![1; 20 * PAGE_BYTES];
    let (_, exports) = names(&bake::bake(GUEST, &memory, PAGE_BYTES, &EXPORTS).unwrap());
    assert_eq!(exports, ["load", "memory", "run"]);
    assert!(bake::bake(b"\0asm\x01\0\0\0", &memory, PAGE_BYTES, &EXPORTS).is_err());
    assert!(bake::bake(b"no module", &memory, PAGE_BYTES, &EXPORTS).is_err());
}
