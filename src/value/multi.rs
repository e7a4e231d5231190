//! Several values at a time: the arguments and the results of a call.
//!
//! | Rust                                       | as arguments              | as results                         |
//! |--------------------------------------------|---------------------------|------------------------------------|
//! | `()`                                       | none                      | whatever there is, dropped         |
//! | `(a,)` ... `(a, b, c, d, e, f, g, h)`      | one each                  | one each; what is missing is nil   |
//! | any one type of `convert`                  | that one                  | the first; nil when there is none  |
//! | `Vec<Value>`, `[Value; N]`, `&[Value]`     | all of them               | (the first two) all of them        |
//! | [`Variadic<T>`]                            | all of them               | all of them, each as `T`           |
//!
//! The last of a tuple may itself be several: `(String, Variadic<i64>)` is a string and any number of integers. So a list
//! of values is the one list that is not a table here; wrap it, `(Table::from(..),)`, where it should be.

use super::convert::{FromLua, IntoLua};
use super::convert_error::ConvertError;
use super::tree::Value;

/// What can be the arguments of a call. See [`FromLuaMulti`] for the table of types.
pub trait IntoLuaMulti {
    /// The values.
    ///
    /// # Errors
    /// As [`IntoLua::into_lua`]; the error says which of the values it is.
    fn into_lua_multi(self) -> Result<Vec<Value>, ConvertError>;
}

/// What can be the results of a call: `()`, a type that is [`FromLua`], a tuple of up to eight, [`Variadic`], or
/// `Vec<Value>` for all results as they are. As in Lua, what is missing is nil, and what is too much is dropped.
pub trait FromLuaMulti: Sized {
    /// The values as this type.
    ///
    /// # Errors
    /// As [`FromLua::from_lua`]; the error says which of the values it is.
    fn from_lua_multi(values: Vec<Value>) -> Result<Self, ConvertError>;
}

/// Any number of values of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variadic<T>(pub Vec<T>);

impl<T: IntoLua> IntoLuaMulti for T {
    fn into_lua_multi(self) -> Result<Vec<Value>, ConvertError> {
        self.into_values().map_err(|error| error.numbered(1))
    }
}

impl<T: FromLua> FromLuaMulti for T {
    fn from_lua_multi(values: Vec<Value>) -> Result<Self, ConvertError> {
        T::from_values(values).map_err(|error| error.numbered(1))
    }
}

impl IntoLuaMulti for &[Value] {
    fn into_lua_multi(self) -> Result<Vec<Value>, ConvertError> {
        Ok(self.to_vec())
    }
}

impl<const N: usize> IntoLuaMulti for &[Value; N] {
    fn into_lua_multi(self) -> Result<Vec<Value>, ConvertError> {
        Ok(self.to_vec())
    }
}

impl IntoLuaMulti for &Vec<Value> {
    fn into_lua_multi(self) -> Result<Vec<Value>, ConvertError> {
        Ok(self.clone())
    }
}

impl<T: IntoLua> IntoLuaMulti for Variadic<T> {
    fn into_lua_multi(self) -> Result<Vec<Value>, ConvertError> {
        numbered(self.0.into_iter().map(T::into_lua))
    }
}

impl<T: FromLua> FromLuaMulti for Variadic<T> {
    fn from_lua_multi(values: Vec<Value>) -> Result<Self, ConvertError> {
        numbered(values.into_iter().map(T::from_lua)).map(Variadic)
    }
}

impl IntoLuaMulti for () {
    fn into_lua_multi(self) -> Result<Vec<Value>, ConvertError> {
        Ok(Vec::new())
    }
}

impl FromLuaMulti for () {
    fn from_lua_multi(_values: Vec<Value>) -> Result<Self, ConvertError> {
        Ok(())
    }
}

/// All of them, or the first error with its position.
fn numbered<T>(all: impl IntoIterator<Item = Result<T, ConvertError>>) -> Result<Vec<T>, ConvertError> {
    let one = |(index, one): (usize, Result<T, ConvertError>)| one.map_err(|error| error.numbered(index + 1));
    all.into_iter().enumerate().map(one).collect()
}

/// Each line: the types and names of all but the last, then of the last.
macro_rules! tuples {
    ($(($($Type:ident $name:ident,)* ; $Last:ident $last:ident),)*) => {$(
        impl<$($Type: IntoLua,)* $Last: IntoLuaMulti> IntoLuaMulti for ($($Type,)* $Last,) {
            fn into_lua_multi(self) -> Result<Vec<Value>, ConvertError> {
                let ($($name,)* $last,) = self;
                let mut values = numbered([$($name.into_lua()),*])?;
                let rest = $last.into_lua_multi().map_err(|error| error.after(values.len()))?;
                values.extend(rest);
                Ok(values)
            }
        }

        impl<$($Type: FromLua,)* $Last: FromLuaMulti> FromLuaMulti for ($($Type,)* $Last,) {
            fn from_lua_multi(values: Vec<Value>) -> Result<Self, ConvertError> {
                #[allow(unused_mut, reason = "a tuple of one has only the last")]
                let (mut values, mut taken) = (values.into_iter(), 0);
                $(
                    taken += 1;
                    let value = values.next().unwrap_or_default();
                    let $name = $Type::from_lua(value).map_err(|error| error.numbered(taken))?;
                )*
                let $last = $Last::from_lua_multi(values.collect()).map_err(|error| error.after(taken))?;
                Ok(($($name,)* $last,))
            }
        }
    )*};
}
tuples! {
    (; A a),
    (A a, ; B b),
    (A a, B b, ; C c),
    (A a, B b, C c, ; D d),
    (A a, B b, C c, D d, ; E e),
    (A a, B b, C c, D d, E e, ; F f),
    (A a, B b, C c, D d, E e, F f, ; G g),
    (A a, B b, C c, D d, E e, F f, G g, ; H h),
}
