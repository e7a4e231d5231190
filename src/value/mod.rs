//! Lua values outside a VM, their conversions to Rust types, and their byte format (docs/codec.md). Pure: no
//! Lua state, no host.

pub(crate) use self::codec::{Misfit, encode_values};
pub use self::codec::{decode_list, decode_value, encode_list, encode_value};
pub use self::convert::{Bytes, FromLua, IntoLua};
pub use self::convert_error::ConvertError;
pub use self::format::{Decoder, Encoder, FormatError, Tag, Token};
pub use self::multi::{FromLuaMulti, IntoLuaMulti, Variadic};
#[cfg(feature = "serde")]
pub use self::serde::{from_value, to_value};
pub use self::tree::{Table, TableData, Value};

mod codec;
mod convert;
mod convert_error;
pub(crate) mod escape;
mod format;
mod multi;
pub(crate) mod number_map;
pub(crate) mod path;
#[cfg(feature = "serde")]
mod serde;
mod tree;
