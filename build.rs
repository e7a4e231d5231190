//! Build script: compiles PUC-Rio Lua 5.4 for the target, natively and for wasm32 from the same C files.
//!
//! Keeps true: the C files are those that `lua-5.4/SOURCE` names, byte for byte; patches go to copies and
//! must fit exactly; flags are data, each with its reason. Not here: anything that downloads (the sources are
//! a build dependency, so cargo has them).

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The C files of Lua, and whether each is optimised on wasm for speed (`Speed`) or for size.
const FILES: &[(&str, Tune)] = &[
    ("lapi", Speed),
    ("lauxlib", Size),
    ("lbaselib", Size),
    ("lcode", Speed),
    ("lcorolib", Size),
    ("lctype", Size),
    ("ldebug", Size),
    ("ldo", Speed),
    ("ldump", Size),
    ("lfunc", Speed),
    ("lgc", Speed),
    ("llex", Speed),
    ("lmathlib", Size),
    ("lmem", Size),
    ("lobject", Speed),
    ("lopcodes", Size),
    ("lparser", Speed),
    ("lstate", Size),
    ("lstring", Speed),
    ("lstrlib", Speed),
    ("ltable", Speed),
    ("ltablib", Speed),
    ("ltm", Speed),
    ("lundump", Size),
    ("lutf8lib", Size),
    ("lvm", Speed),
    ("lzio", Speed),
];

/// C files of Perilune that need Lua's internals.
const OWN_FILES: &[&str] = &["bulk.c", "fuel.c", "gc_pause.c", "strip.c"];

#[derive(Clone, Copy, PartialEq)]
enum Tune {
    Speed,
    Size,
}
use Tune::{Size, Speed};

/// Flags for clang on wasm32-unknown-unknown.
const WASM_FLAGS: &[&str] = &[
    // setjmp/longjmp become wasm exceptions.
    "-mexception-handling",
    // Rust's own wasm32 baseline has the same three.
    "-mbulk-memory",
    "-msign-ext",
    "-mnontrapping-fptoint",
    // Only the headers of the port: the compiler's freestanding ones (stddef, stdarg, limits, float, stdint)
    // and port/include.
    "-ffreestanding",
    "-nostdlibinc",
    // -ffreestanding disables builtins; these are enabled again, because they are instructions or intrinsics.
    "-fbuiltin",
    "-fno-strict-aliasing",
    "-fvisibility=hidden",
    // A libc name that port/include does not declare is an error here, not an import of the module.
    "-Werror=implicit-function-declaration",
];

/// Flags with which clang itself lowers setjmp/longjmp, in the legacy encoding, which every engine since 2021
/// supports.
const LOWER_IN_CLANG: &[&str] = &["-mllvm", "-wasm-enable-sjlj"];

/// Flags with which the linker lowers them, when it turns bitcode into one object. Without the first flag no
/// try blocks would be made, and errors would escape.
const LOWER_IN_LINKER: &[&str] = &[
    "-mllvm",
    "-exception-model=wasm",
    "-mllvm",
    "-wasm-enable-sjlj",
    // The default is 225. This makes the module 20 KB smaller and costs 1 % of speed; 25 would cost 5 %.
    "-mllvm",
    "-inline-threshold=60",
];

/// Oldest version of clang whose `SjLj` lowering has been tested.
const CLANG_MIN: u32 = 19;

fn main() {
    for input in ["build.rs", "lua-5.4/SOURCE", "lua-5.4/port"] {
        println!("cargo:rerun-if-changed={input}");
    }
    for variable in
        ["PERILUNE_CLANG", "PERILUNE_LLVM_AR", "PERILUNE_WASM_LTO", "PERILUNE_FUEL", "PERILUNE_WASM_EH"]
    {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let port = root.join("lua-5.4/port");
    let sources = lay_sources(&root);
    let patched = write_patched(&sources);
    let wasm = env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32");
    list_golden_scripts(&root.join("tests/golden"));
    if wasm {
        build_wasm(&sources, &patched, &port);
    } else {
        build_native(&sources, &patched, &port);
    }
}

/// Copies the C files named in SOURCE from the registry crate to `lua-5.4/src` (or to `OUT_DIR`, if the
/// package folder is read-only), checking each hash. Files already there with the right hash are left alone.
fn lay_sources(root: &Path) -> PathBuf {
    let listing =
        fs::read_to_string(root.join("lua-5.4/SOURCE")).expect("lua-5.4/SOURCE is part of the package");
    let mut crate_name = String::new();
    let mut folder = "";
    let mut files = Vec::new();
    for line in listing.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["crate", name, version] => crate_name = format!("{name}-{version}"),
            ["folder", name] => folder = name,
            [hash, file] if hash.len() == 64 => files.push((file, hash)),
            _ => {}
        }
    }
    let in_tree = root.join("lua-5.4/src");
    let target = if fs::create_dir_all(&in_tree).is_ok() && !is_read_only(&in_tree) {
        in_tree
    } else {
        PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("lua-5.4-src")
    };
    fs::create_dir_all(&target).expect("the build can write its own folder");
    let mut origin = None;
    for (file, hash) in files {
        let to = target.join(file);
        if fs::read(&to).is_ok_and(|bytes| sha256(&bytes) == hash) {
            continue;
        }
        let origin = origin.get_or_insert_with(|| find_crate(root, &crate_name).join(folder));
        let bytes =
            fs::read(origin.join(file)).unwrap_or_else(|e| panic!("{}: {e}", origin.join(file).display()));
        assert_eq!(sha256(&bytes), hash, "{file} is not the file that lua-5.4/SOURCE names");
        fs::write(&to, bytes).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
    }
    target
}

fn is_read_only(folder: &Path) -> bool {
    let probe = folder.join(".write-probe");
    let refused = fs::write(&probe, b"").is_err();
    let _ = fs::remove_file(probe);
    refused
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

/// Finds the folder of a registry crate: first in cargo's usual place, without starting a process; then by
/// asking cargo, which also knows vendored and path sources.
fn find_crate(root: &Path, name: &str) -> PathBuf {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    for registry in registries.into_iter().flatten().flatten() {
        let folder = registry.path().join(name);
        if folder.is_dir() {
            return folder;
        }
    }
    let host = env::var("HOST").expect("cargo sets it");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--filter-platform",
            &host,
            "--manifest-path",
        ])
        .arg(root.join("Cargo.toml"))
        .output()
        .expect("cargo runs build scripts, so it can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    let (package, version) = name.rsplit_once('-').expect("SOURCE names crate and version");
    let mark = format!("\"name\":\"{package}\",\"version\":\"{version}\"");
    let manifest = text
        .split_once(&mark)
        .and_then(|(_, after)| after.split_once("\"manifest_path\":\""))
        .and_then(|(_, after)| after.split_once('"'))
        .map(|(path, _)| PathBuf::from(path.replace("\\\\", "\\")));
    match manifest.as_deref().and_then(Path::parent) {
        Some(folder) => folder.to_path_buf(),
        None => panic!(
            "cannot find the sources of {name}: cargo metadata said\n{}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// The path to compile for a C file: Lua's own file, its patched copy, or the file of the port that includes
/// either one with other settings.
fn c_file(name: &str, sources: &Path, patched: &Path, port: &Path) -> PathBuf {
    let copies = [port.join(format!("{name}_port.c")), patched.join(format!("{name}.c"))];
    copies.into_iter().find(|file| file.exists()).unwrap_or_else(|| sources.join(format!("{name}.c")))
}

include!("lua-5.4/patches/patches.rs");

/// Writes the patched copies to `OUT_DIR`. Stops the build if a text does not occur exactly once: then the
/// patch was made for another version of Lua.
fn write_patched(sources: &Path) -> PathBuf {
    let folder = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("patched");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("OUT_DIR is ours to write");
    // No ticks, to measure their cost (`cargo xtask bench --ticks`). Such a build has no limits.
    let unmetered = env::var("PERILUNE_FUEL").as_deref() == Ok("0");
    for Patch { file, find, replace } in PATCHES.iter().filter(|_| !unmetered) {
        let name = format!("{file}.c");
        let copy = folder.join(&name);
        let from = if copy.exists() { copy.clone() } else { sources.join(&name) };
        let text = fs::read_to_string(&from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
        assert_eq!(text.matches(find).count(), 1, "{name} must have this text once, to patch it:\n{find}");
        fs::write(&copy, text.replacen(find, replace, 1)).expect("OUT_DIR is ours to write");
    }
    folder
}

fn build_native(sources: &Path, patched: &Path, port: &Path) {
    let mut build = cc::Build::new();
    build
        .include(patched)
        .include(port)
        .include(sources)
        .flag("-include")
        .flag(port.join("config.h").to_str().expect("UTF-8 path"));
    if env::var("CARGO_CFG_UNIX").is_ok() {
        build.define("LUA_USE_POSIX", None);
    }
    if env::var("PROFILE").as_deref() == Ok("debug") {
        // Lua's own assertions, for the tests. Without -O1 the recursion tests overflow the C stack.
        build.define("LUAI_ASSERT", None).define("LUA_USE_APICHECK", None).opt_level(1);
    } else {
        build.opt_level(3);
    }
    for (name, _) in FILES {
        build.file(c_file(name, sources, patched, port));
    }
    for name in OWN_FILES {
        build.file(port.join(name));
    }
    build.compile("perilune_lua");
}

/// Size of the shadow stack, in bytes. The stack is at the start of linear memory, so that an overflow traps
/// instead of corrupting data. web/test/stack.test.ts runs every kind of C recursion to its limit on it.
const WASM_STACK_BYTES: u32 = 192 * 1024;

/// Compiles the C files for wasm32, with whole-program optimisation: clang makes bitcode, and the wasm linker
/// of the Rust toolchain (whose LLVM is the newer one) makes one object of it. The result is about a tenth
/// faster than object by object, and the final link needs no options, so a program that embeds the crate
/// profits as well. `PERILUNE_WASM_LTO=0` compiles object by object.
///
/// `PERILUNE_WASM_EH=exnref` writes the final encoding of wasm exceptions instead of the legacy one, for
/// engines that take only that.
fn build_wasm(sources: &Path, patched: &Path, port: &Path) {
    let clang =
        find_tool("PERILUNE_CLANG", "clang", &["clang-19", "clang-20", "clang-21", "clang-22", "clang"]);
    let ar = find_tool(
        "PERILUNE_LLVM_AR",
        "llvm",
        &["llvm-ar-19", "llvm-ar-20", "llvm-ar-21", "llvm-ar-22", "llvm-ar"],
    );
    let linker = rust_lld().filter(|_| env::var("PERILUNE_WASM_LTO").as_deref() != Ok("0"));
    let base = |lower: &[&str]| {
        let mut build = cc::Build::new();
        build
            .compiler(&clang)
            .archiver(&ar)
            .target("wasm32-unknown-unknown")
            .no_default_flags(true)
            .warnings(false);
        build.flag("--target=wasm32-unknown-unknown").flag("-std=gnu11");
        build.include(patched).include(port).include(sources).include(port.join("include"));
        build.flag("-include").flag(port.join("config.h"));
        for flag in WASM_FLAGS.iter().chain(lower) {
            build.flag(flag);
        }
        if env::var("PERILUNE_FUEL").as_deref() == Ok("0") {
            build.define("PERILUNE_UNMETERED", None);
        }
        build
    };
    let mut objects = Vec::new();
    for tune in [Speed, Size] {
        let mut build = base(if linker.is_some() { &["-flto"] } else { LOWER_IN_CLANG });
        build.flag(if tune == Speed { "-O3" } else { "-Oz" });
        for (name, _) in FILES.iter().filter(|(_, of)| *of == tune) {
            build.file(c_file(name, sources, patched, port));
        }
        if tune == Size {
            for name in OWN_FILES {
                build.file(port.join(name));
            }
        }
        objects.extend(build.compile_intermediates());
    }
    let mut archive = base(LOWER_IN_CLANG);
    archive.flag("-O2").file(port.join("setjmp.c"));
    match linker {
        Some(linker) => archive.object(link_bitcode(&linker, &objects)),
        None => archive.objects(objects),
    };
    archive.compile("perilune_lua");
    println!("cargo:rustc-link-arg-cdylib=-zstack-size={WASM_STACK_BYTES}");
}

/// The linker that comes with the Rust toolchain, if it does.
fn rust_lld() -> Option<PathBuf> {
    let rustc = env::var_os("RUSTC")?;
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().ok()?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    let linker = sysroot.join("lib/rustlib").join(env::var("HOST").ok()?).join("bin/rust-lld");
    linker.exists().then_some(linker)
}

/// Links all the bitcode into one relocatable object.
fn link_bitcode(linker: &Path, bitcode: &[PathBuf]) -> PathBuf {
    let object = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("lua.o");
    let legacy = env::var("PERILUNE_WASM_EH").as_deref() != Ok("exnref");
    let output = Command::new(linker)
        .args(["-flavor", "wasm", "-r", "--lto-O3"])
        .args(LOWER_IN_LINKER)
        .args(["-mllvm", &format!("-wasm-use-legacy-eh={legacy}")])
        .arg("-o")
        .arg(&object)
        .args(bitcode)
        .output()
        .expect("the toolchain's linker runs");
    assert!(
        output.status.success(),
        "{} failed on the bitcode of Lua (PERILUNE_WASM_LTO=0 goes another way):\n{}",
        linker.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    object
}

/// Writes the constant `GOLDEN`: names and contents of the golden scripts, for the tests in a browser, which
/// has no files. Empty in a package without tests.
fn list_golden_scripts(folder: &Path) {
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut scripts = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lua") {
                scripts.push(path);
            }
        }
    }
    scripts.sort();
    let mut text = String::from("const GOLDEN: &[(&str, &[u8])] = &[\n");
    for path in scripts {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        writeln!(text, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())
            .expect("a String takes all");
    }
    text.push_str("];\n");
    let list = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("golden_files.rs");
    fs::write(list, text).expect("the build can write its own folder");
}

/// Finds a tool: the one that an environment variable names, or the first of `names` that runs. Checks that
/// clang is new enough.
fn find_tool(variable: &str, package: &str, names: &[&str]) -> String {
    if let Ok(tool) = env::var(variable) {
        return tool;
    }
    for name in names {
        let Ok(output) = Command::new(name).arg("--version").output() else { continue };
        let text = String::from_utf8_lossy(&output.stdout);
        let major =
            text.split("version ").nth(1).and_then(|rest| rest.split('.').next()?.trim().parse::<u32>().ok());
        if major.is_some_and(|major| major >= CLANG_MIN) {
            return (*name).to_string();
        }
    }
    panic!(
        "Perilune compiles Lua for wasm32 with {package} {CLANG_MIN} or newer, and none was found. On Debian: \
         `apt-get install clang-{CLANG_MIN} llvm-{CLANG_MIN}`; elsewhere set {variable} to its path."
    );
}
