//! Conversions of several values at a time: the arguments and the results of a call.
//!
//! | Rust                                   | as arguments   | as results                               |
//! |----------------------------------------|----------------|------------------------------------------|
//! | `()`                                   | none           | none; all are dropped                    |
//! | `(a,)` ... `(a, b, c, d, e, f, g, h)`  | one each       | one each; what is missing is nil         |
//! | any one type of `convert`              | that one       | the first; nil when there is none        |
//! | `Vec<Value>`, `[Value; N]`, `&[Value]` | all of them    | all of them (not for `&[Value]`)         |
//! | [`Variadic<T>`]                        | all of them    | all of them, each as `T`                 |
//!
//! The last of a tuple may itself be several: `(String, Variadic<i64>)` is a string and any number of
//! integers. A list of [`Value`] stands for several values here, not for a table; to pass a table, wrap it:
//! `(Table::from(..),)`.

use super::convert::{FromLua, IntoLua};
use super::convert_error::ConvertError;
use super::tree::Value;

/// A type that becomes the arguments of a call: `()`, a type that is [`IntoLua`], a tuple of up to eight,
/// [`Variadic`], or a list of [`Value`].
pub trait IntoLuaMulti {
    /// Converts `self` into the list of values.
    ///
    /// # Errors
    /// The errors of [`IntoLua::into_lua`], with the position of the value.
    fn into_lua_multi(self) -> Result<Vec<Value>, ConvertError>;
}

/// A type that the results of a call become: `()`, a type that is [`FromLua`], a tuple of up to eight,
/// [`Variadic`], or `Vec<Value>` for all results as they are. As in Lua, missing results are nil, and extra
/// ones are dropped.
pub trait FromLuaMulti: Sized {
    /// Converts the list of values into this type.
    ///
    /// # Errors
    /// The errors of [`FromLua::from_lua`], with the position of the value.
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

/// Collects all results, or the first error with its position.
fn numbered<T>(all: impl IntoIterator<Item = Result<T, ConvertError>>) -> Result<Vec<T>, ConvertError> {
    let one = |(index, one): (usize, Result<T, ConvertError>)| one.map_err(|error| error.numbered(index + 1));
    all.into_iter().enumerate().map(one).collect()
}

/// Implements both traits for tuples. Each line: the types and names of all but the last, then of the last.
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
