//! serde support: conversions of types that derive `Serialize` or `Deserialize`, and these traits for
//! [`Value`](crate::value::Value) itself.
//!
//! | serde                       | value                                                                  |
//! |-----------------------------|------------------------------------------------------------------------|
//! | bool, text, char            | boolean, string                                                        |
//! | integers                    | integer; past 64 bits it is an error                                   |
//! | f32, f64                    | float                                                                  |
//! | bytes                       | string                                                                 |
//! | `None`, `()`, unit struct   | nil; `json.null` where a table must hold it                            |
//! | sequence, tuple             | table with keys 1..n                                                   |
//! | map                         | table; keys keep their type                                            |
//! | struct                      | table with the names of the fields; a field that is `None` is left out |
//! | unit variant                | its name                                                               |
//! | any other variant           | table with one key, the name                                           |
//!
//! From a value to a Rust type, a float that equals an integer is accepted as one, and both nil and
//! `json.null` are `None` and `()`. A table is read as the type that is asked for; where the type leaves it
//! open (`serde_json::Value`, untagged enums) it is a sequence if it has the keys 1..n, at least one, and no
//! others, and a map otherwise: an empty table is an empty map. Functions, references, external tables and
//! host objects are errors. So is nesting past `VALUE_DEPTH_MAX` tables, which includes cycles.

pub use self::de::from_value;
pub use self::ser::to_value;

mod de;
mod ser;

use super::convert_error::ConvertError;
use crate::limits::VALUE_DEPTH_MAX;

/// The depth of the entries of a table at `depth`, or an error past `VALUE_DEPTH_MAX`.
fn deeper(depth: usize) -> Result<usize, ConvertError> {
    if depth < VALUE_DEPTH_MAX { Ok(depth + 1) } else { Err(ConvertError::new(too_deep())) }
}

fn too_deep() -> String {
    format!("nested more than {VALUE_DEPTH_MAX} tables deep")
}
