//! Tests of the example programs, run again and again on one storage: they succeed, and each run continues
//! where the last one stopped.
#![cfg(not(target_arch = "wasm32"))]

use perilune::Runtime;
use std::fs;
use std::path::Path;

#[test]
fn examples_continue_on_their_storage() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for name in ["counter", "todo-list", "data-processing", "state-machine"] {
        let source = fs::read(folder.join(name).with_extension("lua")).expect(name);
        let mut lua = Runtime::builder().build().expect("a VM");
        for run in 1..=3 {
            let ended = lua.eval_named(&source, name);
            assert!(ended.is_ok(), "{name}, run {run}: {ended:?}");
        }
        let kept = lua.eval("local n = 0 for _, name in ipairs(ext.tables()) do n = n + ext.count(ext.table(name)) end return n");
        let kept = kept.expect("counts").values;
        assert_ne!(kept, [0.into()], "{name} keeps nothing");
    }
}
