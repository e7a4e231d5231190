//! Build script: compiles PUC-Rio Lua 5.4 for the target, natively and for wasm32 from the same C files.
//!
//! Keeps true: flags are data, each with its reason. Not here: which C files these are and how they are
//! patched (build/sources.rs); the Lua code of the libraries (`build/library_scripts.rs`).

#[path = "build/library_scripts.rs"]
mod library_scripts;
#[path = "build/sources.rs"]
mod sources;

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
const OWN_FILES: &[&str] =
    &["bulk.c", "close.c", "collect.c", "copy.c", "fuel.c", "gc_pause.c", "json.c", "strip.c"];

/// C files of the compiler of hot functions, on wasm with the feature `jit`.
const JIT_FILES: &[&str] = &["jit.c", JIT_LAYOUT];

/// C file that tells the compiler where fields are.
const JIT_LAYOUT: &str = "jit_layout.c";

/// C file for programs that embed the crate: calls the functions of Rust by pointers.
const POINTERS: &str = "pointers.c";

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
    for input in ["build.rs", "build", "lua-5.4/SOURCE", "lua-5.4/port"] {
        println!("cargo:rerun-if-changed={input}");
    }
    for variable in [
        sources::FOLDER_VARIABLE,
        "PERILUNE_CLANG",
        "PERILUNE_LLVM_AR",
        "PERILUNE_WASM_LTO",
        "PERILUNE_FUEL",
        "PERILUNE_WASM_EH",
        "DOCS_RS",
    ] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let wasm = env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32");
    // rustc exports every function that has an unmangled name from the module that it ends up in. The module
    // of the npm package is trimmed afterwards; one that embeds the crate must not need that.
    let pointers = wasm && env::var_os("CARGO_FEATURE_EXPORTS").is_none();
    for (cfg, set) in [("c_symbols", wasm && !pointers), ("c_pointers", pointers)] {
        println!("cargo:rustc-check-cfg=cfg({cfg})");
        if set {
            println!("cargo:rustc-cfg={cfg}");
        }
    }
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    library_scripts::write(&root);
    if env::var_os("DOCS_RS").is_some() {
        // Documentation links nothing, and docs.rs has no clang for wasm32.
        return;
    }
    let port = root.join("lua-5.4/port");
    let sources = sources::copy_sources(&root);
    let patched = sources::write_patched(&sources);
    list_golden_scripts(&root.join("tests/golden"));
    if wasm {
        build_wasm(&sources, &patched, &port, pointers);
    } else {
        build_native(&sources, &patched, &port);
    }
}

/// The folder that cargo gives to this build.
fn out_dir() -> PathBuf {
    PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"))
}

/// The path to compile for a C file: Lua's own file, its patched copy, or the file of the port that includes
/// either one with other settings.
fn c_file(name: &str, sources: &Path, patched: &Path, port: &Path) -> PathBuf {
    let copies = [port.join(format!("{name}_port.c")), patched.join(format!("{name}.c"))];
    copies.into_iter().find(|file| file.exists()).unwrap_or_else(|| sources.join(format!("{name}.c")))
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
    // For the unit tests of the compiler, which writes the same code here.
    build.file(port.join(JIT_LAYOUT));
    build.compile("perilune_lua");
}

/// Compiles the C files for wasm32, with whole-program optimisation: clang makes bitcode, and the wasm linker
/// of the Rust toolchain (whose LLVM is the newer one) makes one object of it. The result is about a tenth
/// faster than object by object, and the final link needs no options, so a program that embeds the crate
/// profits as well. `PERILUNE_WASM_LTO=0` compiles object by object.
///
/// `PERILUNE_WASM_EH=exnref` writes the final encoding of wasm exceptions instead of the legacy one, for
/// engines that take only that.
fn build_wasm(sources: &Path, patched: &Path, port: &Path, pointers: bool) {
    let clang =
        find_tool("PERILUNE_CLANG", "clang", &["clang-19", "clang-20", "clang-21", "clang-22", "clang"]);
    let ar = find_tool(
        "PERILUNE_LLVM_AR",
        "llvm",
        &["llvm-ar-19", "llvm-ar-20", "llvm-ar-21", "llvm-ar-22", "llvm-ar"],
    );
    // Without ticks there are no samples.
    let jit = env::var_os("CARGO_FEATURE_JIT").is_some() && env::var("PERILUNE_FUEL").as_deref() != Ok("0");
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
        if jit {
            build.define("PERILUNE_JIT", None);
        }
        build
    };
    if jit {
        tell_helpers(port);
    }
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
        } else {
            let more: &[&str] = if jit { JIT_FILES } else { &[] };
            for name in more.iter().chain(pointers.then_some(&POINTERS)) {
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
}

/// Tells the crate of the module what it has to export for compiled functions: the helpers of `lvm_port.c`
/// (in its build script the variable `DEP_PERILUNE_LUA_HELPERS`).
fn tell_helpers(port: &Path) {
    let text = fs::read_to_string(port.join("lvm_port.c")).expect("the port is part of the package");
    let heads =
        text.lines().filter(|line| line.starts_with("HELPER ")).filter_map(|line| line.split_once('('));
    let names: Vec<&str> = heads.filter_map(|(head, _)| head.split([' ', '*']).next_back()).collect();
    println!("cargo:helpers={}", names.join(" "));
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
    let object = out_dir().join("lua.o");
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
/// has no files. Does nothing in the published package, which has no such tests.
fn list_golden_scripts(folder: &Path) {
    if !folder.is_dir() {
        // A path that is missing would have cargo run this at every build.
        return;
    }
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
    let list = out_dir().join("golden_files.rs");
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
