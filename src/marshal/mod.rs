//! Conversion between the Lua stack and bytes: `encode` reads values off the stack, `decode` pushes them.

pub(crate) use self::decode::{push_list, push_value};
pub(crate) use self::encode::{EncodeError, encode_key, encode_list, encode_value};

mod decode;
mod encode;
