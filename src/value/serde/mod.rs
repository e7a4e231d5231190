//! serde: any type that derives `Serialize` or `Deserialize` as a Lua value, and values in the formats of others.
//!
//! | serde                         | value                                                                                |
//! |-------------------------------|--------------------------------------------------------------------------------------|
//! | bool, text, char              | boolean, string                                                                      |
//! | integers                      | integer; past 64 bits it is an error                                                 |
//! | f32, f64                      | float                                                                                |
//! | bytes                         | string                                                                               |
//! | `None`, `()`, unit struct     | nil; `json.null` where a table must hold it                                          |
//! | sequence, tuple               | table with keys 1..n                                                                 |
//! | map                           | table; keys keep their type                                                          |
//! | struct                        | table with the names of the fields; a field that is `None` is left out               |
//! | unit variant                  | its name                                                                             |
//! | any other variant             | table with one key, the name                                                         |
//!
//! The other way an integral float is an integer where one is wanted, and both nil and `json.null` are `None` and `()`. A
//! table is what is asked for; where nobody asks (`serde_json::Value`, untagged enums) it is a sequence if it has the keys
//! 1..n, at least one, and no others, and a map otherwise: an empty table is an empty map. Functions, external tables and
//! what belongs to a VM or a host are errors. So is what is nested more than `VALUE_DEPTH_MAX` tables deep, cycles with it.

pub use self::de::from_value;
pub use self::ser::to_value;

mod de;
mod ser;

use super::convert_error::ConvertError;
use crate::limits::VALUE_DEPTH_MAX;

/// The depth inside a table that is itself `depth` tables deep.
fn deeper(depth: usize) -> Result<usize, ConvertError> {
    if depth < VALUE_DEPTH_MAX { Ok(depth + 1) } else { Err(ConvertError::new(too_deep())) }
}

fn too_deep() -> String {
    format!("nested more than {VALUE_DEPTH_MAX} tables deep")
}
