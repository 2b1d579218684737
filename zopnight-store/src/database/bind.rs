//! Values on their way into a statement.

use uuid::Uuid;

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bind<'q> {
    Int(Option<i64>),
    Text(Option<&'q str>),
    Bytes(Option<&'q [u8]>),
    Id(Option<Uuid>),
    Flag(bool),
}

macro_rules! from {
    ($($type:ty => $variant:ident as $as:ty),+ $(,)?) => {
        $(impl From<$type> for Bind<'_> {
            fn from(value: $type) -> Self {
                Self::$variant(Some(<$as>::from(value)))
            }
        }

        impl From<Option<$type>> for Bind<'_> {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map(<$as>::from))
            }
        })+
    };
}

from!(i64 => Int as i64, u32 => Int as i64, u16 => Int as i64, Uuid => Id as Uuid);

impl From<bool> for Bind<'_> {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl<'q> From<&'q str> for Bind<'q> {
    fn from(value: &'q str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'q> From<&'q String> for Bind<'q> {
    fn from(value: &'q String) -> Self {
        Self::Text(Some(value))
    }
}

impl<'q> From<Option<&'q str>> for Bind<'q> {
    fn from(value: Option<&'q str>) -> Self {
        Self::Text(value)
    }
}

impl<'q> From<&'q [u8; 32]> for Bind<'q> {
    fn from(value: &'q [u8; 32]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'q> From<Option<&'q [u8; 32]>> for Bind<'q> {
    fn from(value: Option<&'q [u8; 32]>) -> Self {
        Self::Bytes(value.map(<[u8; 32]>::as_slice))
    }
}

/// The parameters of a statement, in the order of their numbers.
macro_rules! binds {
    ($($value:expr),* $(,)?) => { &[$($crate::database::Bind::from($value)),*] };
}
pub(crate) use binds;
