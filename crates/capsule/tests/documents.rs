//! The pages about Lua in the capsule: every block of code runs, and prints what the page says.

use perilune_capsule::{Capsule, Location};
use std::cell::RefCell;
use std::rc::Rc;

/// A block of code of a page: the line on which it begins, and its text.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<(usize, &'a str)> {
    let mut blocks = Vec::new();
    let mut rest = page;
    let fence = format!("```{language}\n");
    while let Some(at) = rest.find(&fence) {
        let code = &rest[at + fence.len()..];
        let end = code.find("\n```").expect("a block has an end");
        let line = page[..page.len() - code.len()].lines().count() + 1;
        blocks.push((line, &code[..end]));
        rest = &code[end..];
    }
    blocks
}

/// A host that keeps what is printed.
#[derive(Debug, Clone, Default)]
struct Printed(Rc<RefCell<Vec<u8>>>);

impl perilune::Host for Printed {
    fn write(&mut self, _: perilune::Stream, bytes: &[u8]) {
        self.0.borrow_mut().extend_from_slice(bytes);
    }

    fn clock_ms(&mut self) -> f64 {
        0.0
    }

    fn monotonic_ms(&mut self) -> f64 {
        0.0
    }

    fn random_u64(&mut self) -> u64 {
        0
    }
}

#[test]
fn blocks_of_the_page_about_lua_print_what_it_says() {
    let page = include_str!("../../../docs/capsule-lua.md");
    let printed = Printed::default();
    let mut capsule = Capsule::builder(Location::Memory).host(printed.clone()).open().expect("opens");
    for (_, sql) in blocks(page, "sql") {
        capsule.execute(sql, ()).expect("the tables are right");
    }
    let blocks = blocks(page, "lua");
    assert!(blocks.len() > 8, "the page has its blocks");
    for (line, code) in blocks {
        capsule.eval(code).unwrap_or_else(|error| panic!("docs/capsule-lua.md:{line}: {error}"));
        let said: Vec<&str> =
            code.lines().filter_map(|line| line.split_once("--> ")).map(|(_, said)| said).collect();
        let output = printed.0.take();
        let output = String::from_utf8(output).expect("UTF-8");
        assert_eq!(output.lines().collect::<Vec<_>>(), said, "docs/capsule-lua.md:{line}");
    }
    capsule.on_error(|error| panic!("{error}"));
    capsule.flush();
}
