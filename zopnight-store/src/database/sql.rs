//! Statements as constants. They are written with numbered parameters, `?1`; each database gets the marks it understands,
//! and the order of its binds, while compiling.

/// A statement of one database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql {
    pub(crate) text: &'static str,
    /// Which parameter each mark takes, from 1; empty where the marks carry their numbers.
    pub(crate) order: &'static [u8],
}

/// How a database marks its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `?1`
    #[cfg_attr(
        not(any(feature = "sqlite", test)),
        expect(dead_code, reason = "SQLite's, and what statements are written in")
    )]
    Question,
    /// `$1`
    #[cfg(feature = "postgres")]
    Dollar,
    /// `?`, each mark the next bind.
    #[cfg(feature = "mysql")]
    Bare,
}

impl Style {
    const fn mark(self) -> u8 {
        match self {
            #[cfg(feature = "postgres")]
            Self::Dollar => b'$',
            _ => b'?',
        }
    }

    const fn numbered(self) -> bool {
        match self {
            #[cfg(feature = "mysql")]
            Self::Bare => false,
            _ => true,
        }
    }
}

/// The number after a `?` at `at`, and how many digits it has; 0 digits where there is none.
const fn number(text: &[u8], at: usize) -> (u8, usize) {
    let (mut n, mut digits) = (0, 0);
    while at + 1 + digits < text.len() && text[at + 1 + digits].is_ascii_digit() {
        n = n * 10 + (text[at + 1 + digits] - b'0');
        digits += 1;
    }
    (n, digits)
}

/// How many parameters are marked.
pub(crate) const fn marks(text: &str) -> usize {
    let text = text.as_bytes();
    let (mut at, mut marks) = (0, 0);
    while at < text.len() {
        if text[at] == b'?' {
            assert!(number(text, at).1 > 0, "a parameter without a number");
            marks += 1;
        }
        at += 1;
    }
    marks
}

/// How long the text is with the marks of `style`.
pub(crate) const fn length(text: &str, style: Style) -> usize {
    if style.numbered() {
        return text.len();
    }
    let bytes = text.as_bytes();
    let (mut at, mut length) = (0, text.len());
    while at < bytes.len() {
        if bytes[at] == b'?' {
            length -= number(bytes, at).1;
        }
        at += 1;
    }
    length
}

/// The text with the marks of `style`.
pub(crate) const fn translated<const N: usize>(text: &str, style: Style) -> [u8; N] {
    let text = text.as_bytes();
    let mut out = [0; N];
    let (mut at, mut to) = (0, 0);
    while at < text.len() {
        if text[at] == b'?' {
            out[to] = style.mark();
            if !style.numbered() {
                at += number(text, at).1;
            }
        } else {
            out[to] = text[at];
        }
        at += 1;
        to += 1;
    }
    out
}

/// The parameters in the order of their marks; empty where the marks carry their numbers.
pub(crate) const fn order<const N: usize>(text: &str) -> [u8; N] {
    let text = text.as_bytes();
    let mut out = [0; N];
    let (mut at, mut to) = (0, 0);
    while at < text.len() && to < N {
        if text[at] == b'?' {
            out[to] = number(text, at).0;
            to += 1;
        }
        at += 1;
    }
    out
}

/// How many entries the order of a statement has.
pub(crate) const fn ordered(text: &str, style: Style) -> usize {
    if style.numbered() { 0 } else { marks(text) }
}

/// A statement in the style of a database, from literals and macros that stand for literals.
macro_rules! sql {
    ($style:expr, $($text:tt)+) => {{
        use $crate::database::sql::{Sql, Style, length, marks, order, ordered, translated};
        const SQL_STYLE: Style = $style;
        const TEXT: &str = concat!($($text)+);
        const _: usize = marks(TEXT);
        const BYTES: [u8; length(TEXT, SQL_STYLE)] = translated(TEXT, SQL_STYLE);
        const ORDER: [u8; ordered(TEXT, SQL_STYLE)] = order(TEXT);
        const SQL: Sql = Sql {
            text: match std::str::from_utf8(&BYTES) {
                Ok(text) => text,
                Err(_) => panic!("a statement is text"),
            },
            order: &ORDER,
        };
        SQL
    }};
}
pub(crate) use sql;

/// The statements of one kind of tables, by name.
macro_rules! statements {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: $crate::database::sql::Sql,)+
        }

        #[cfg(feature = "testing")]
        impl $name {
            /// Every statement with its name.
            pub(crate) fn named(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($field), self.$field.text)),+]
            }
        }
    };
}
pub(crate) use statements;

#[cfg(test)]
mod tests {
    #[test]
    fn each_style_has_its_marks() {
        let native = sql!(Style::Question, "SELECT ?2 + ?1, ", "?12");
        assert_eq!((native.text, native.order), ("SELECT ?2 + ?1, ?12", [].as_slice()));
        #[cfg(feature = "postgres")]
        assert_eq!(sql!(Style::Dollar, "SELECT ?2 + ?1").text, "SELECT $2 + $1");
        #[cfg(feature = "mysql")]
        {
            let bare = sql!(Style::Bare, "SELECT ?2 + ?1 + ?12 + ?2");
            assert_eq!((bare.text, bare.order), ("SELECT ? + ? + ? + ?", [2, 1, 12, 2].as_slice()));
        }
    }
}
