//! YAML as a tree in which each value knows its line.

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;
use std::fmt;

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// A value and its line, from 1; 0 where none is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) tree: Tree,
}

/// A fault of a document as such, and its line.
#[derive(Debug)]
pub(super) struct YamlError {
    pub(super) line: Option<u64>,
    pub(super) message: String,
}

impl Tree {
    /// Words for the value in a message.
    pub(super) fn describe(&self) -> String {
        match self {
            Tree::Null => "nothing".into(),
            Tree::Bool(value) => value.to_string(),
            Tree::Integer(value) => value.to_string(),
            Tree::Float(value) => value.to_string(),
            Tree::Text(value) => format!("{value:?}"),
            Tree::List(_) => "a list".into(),
            Tree::Map(_) => "a mapping".into(),
        }
    }
}

/// Reads a document. An empty one is [`Tree::Null`].
pub(super) fn parse(text: &str) -> Result<Node, YamlError> {
    if text.lines().all(|line| line.trim_start().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Node { line: 1, tree: Tree::Null });
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map(|at| at.line()).filter(|line| *line > 0);
        // The first line says what is wrong; a picture of the file follows it.
        let message = error.without_snippet().to_string();
        YamlError { line, message: message.lines().next().unwrap_or_default().to_owned() }
    })
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Tree>::deserialize(deserializer)?;
        Ok(Node { line: spanned.referenced.line(), tree: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of YAML")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Tree, E> {
        Ok(Tree::Integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut pairs: Vec<(String, Node)> = Vec::new();
        while let Some((key, node)) = map.next_entry::<String, Node>()? {
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format!("{key} is given twice")));
            }
            pairs.push((key, node));
        }
        Ok(Tree::Map(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'a>(node: &'a Node, path: &str) -> &'a Node {
        path.split('.').fold(node, |node, key| match &node.tree {
            Tree::Map(pairs) => &pairs.iter().find(|(known, _)| known == key).unwrap().1,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn each_value_has_its_line() {
        let node =
            parse("# c\nlua:\n  enabled: true   # x\n  hosts: [\"*\", a]\n\n  n: 50\nempty:\n").unwrap();
        assert_eq!(get(&node, "lua.enabled"), &Node { line: 3, tree: Tree::Bool(true) });
        assert_eq!(get(&node, "lua.hosts").line, 4);
        assert_eq!(get(&node, "lua.n"), &Node { line: 6, tree: Tree::Integer(50) });
        assert_eq!(get(&node, "empty").tree, Tree::Null);
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_line() {
        for (text, line) in [("a: 1\na: 2\n", 2), ("a:\n  - 1\n b: 2\n", 3), ("a: [1\n", 1), ("a: \"x\n", 1)]
        {
            let error = parse(text).unwrap_err();
            assert!(error.line.is_some_and(|at| at >= line), "{text:?}: {error:?}");
            assert!(!error.message.is_empty());
        }
        assert_eq!(parse("# nothing\n\n").unwrap().tree, Tree::Null);
    }
}
