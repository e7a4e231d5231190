//! Conversion between the Lua stack and bytes: `encode` reads values off the stack, `decode` pushes them.

pub(crate) use self::decode::{RELEASED, push_list, push_value};
pub(crate) use self::encode::{EncodeError, encode_error, encode_key, encode_list, encode_value};
pub(crate) use self::list_mark::{ARRAY, MARKER, is_marked, open, push_mark};

mod decode;
mod encode;
mod list_mark;
