//! Values as parameters and as results.

use std::borrow::Cow;

use firstcome_core::records::{Kind, Value};
use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, Row as _};

use super::fault::Fault;

/// A parameter of a statement.
#[derive(Clone)]
pub(super) enum Param<'a> {
    /// A value of a column.
    Value(Kind, Cow<'a, Value>),
    /// Many values of one column, which only PostgreSQL takes as one parameter.
    Many(Kind, Vec<&'a Value>),
    /// Many numbers.
    Numbers(Vec<i64>),
}

impl<'a> Param<'a> {
    /// A number.
    pub(super) fn number(number: i64) -> Self {
        Self::Value(Kind::Integer, Cow::Owned(Value::Integer(number)))
    }

    /// A text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Value(Kind::Text, Cow::Owned(Value::Text(text.into())))
    }

    /// A value of a column, without a copy.
    pub(super) fn value(kind: Kind, value: &'a Value) -> Self {
        Self::Value(kind, Cow::Borrowed(value))
    }
}

/// PostgreSQL has no text with a zero byte in it. Zero is kept as 1 2 and one as 1 3, which leaves the order of texts
/// as it is; everything else is kept as it is.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte < 2) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => kept.push_str("\u{1}\u{2}"),
            '\u{1}' => kept.push_str("\u{1}\u{3}"),
            other => kept.push(other),
        }
    }
    Cow::Owned(kept)
}

/// What [`escaped`] was made from.
fn unescaped(kept: &str) -> Option<String> {
    if !kept.contains('\u{1}') {
        return Some(kept.to_owned());
    }
    let mut text = String::with_capacity(kept.len());
    let mut characters = kept.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\u{1}' => match characters.next()? {
                '\u{2}' => '\0',
                '\u{3}' => '\u{1}',
                _ => return None,
            },
            other => other,
        });
    }
    Some(text)
}

fn unfit(error: sqlx::error::BoxDynError) -> Fault {
    Fault::Unfit(error.to_string())
}

/// Parameters as MySQL takes them.
pub(super) fn mysql_arguments(params: &[Param<'_>]) -> Result<MySqlArguments, Fault> {
    let mut arguments = MySqlArguments::default();
    for param in params {
        let Param::Value(kind, value) = param else {
            return Err(Fault::Unfit("MySQL takes one value per parameter".to_owned()));
        };
        match value.as_ref() {
            Value::Integer(number) => arguments.add(*number),
            Value::Text(text) => arguments.add(text.as_str()),
            Value::Blob(bytes) => arguments.add(bytes.as_slice()),
            Value::Null => match kind {
                Kind::Integer => arguments.add(None::<i64>),
                Kind::Text => arguments.add(None::<&str>),
                Kind::Blob => arguments.add(None::<&[u8]>),
            },
        }
        .map_err(unfit)?;
    }
    Ok(arguments)
}

/// Parameters as PostgreSQL takes them.
pub(super) fn postgres_arguments(params: &[Param<'_>]) -> Result<PgArguments, Fault> {
    let mut arguments = PgArguments::default();
    for param in params {
        match param {
            Param::Value(Kind::Integer, value) => arguments.add(integer(value)),
            Param::Value(Kind::Text, value) => arguments.add(text(value)),
            Param::Value(Kind::Blob, value) => arguments.add(bytes(value)),
            Param::Many(Kind::Integer, values) => arguments.add(values.iter().map(|v| integer(v)).collect::<Vec<_>>()),
            Param::Many(Kind::Text, values) => arguments.add(values.iter().map(|v| text(v)).collect::<Vec<_>>()),
            Param::Many(Kind::Blob, values) => arguments.add(values.iter().map(|v| bytes(v)).collect::<Vec<_>>()),
            Param::Numbers(numbers) => arguments.add(numbers.as_slice()),
        }
        .map_err(unfit)?;
    }
    Ok(arguments)
}

fn integer(value: &Value) -> Option<i64> {
    if let Value::Integer(number) = value { Some(*number) } else { None }
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    if let Value::Text(text) = value { Some(escaped(text)) } else { None }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    if let Value::Blob(bytes) = value { Some(bytes) } else { None }
}

/// A row of MySQL as values of these kinds.
pub(super) fn mysql_row(row: &MySqlRow, kinds: &[Kind]) -> Result<Vec<Value>, Fault> {
    let value = |(at, kind): (usize, &Kind)| {
        let value = match kind {
            Kind::Integer => row.try_get_unchecked::<Option<i64>, _>(at)?.map(Value::Integer),
            Kind::Text => row.try_get_unchecked::<Option<String>, _>(at)?.map(Value::Text),
            Kind::Blob => row.try_get_unchecked::<Option<Vec<u8>>, _>(at)?.map(Value::Blob),
        };
        Ok(value.unwrap_or(Value::Null))
    };
    kinds.iter().enumerate().map(value).collect()
}

/// A row of PostgreSQL as values of these kinds.
pub(super) fn postgres_row(row: &PgRow, kinds: &[Kind]) -> Result<Vec<Value>, Fault> {
    let damaged = || Fault::Damaged("a stored text is not one that was written here".to_owned());
    let value = |(at, kind): (usize, &Kind)| {
        let value = match kind {
            Kind::Integer => row.try_get_unchecked::<Option<i64>, _>(at)?.map(Value::Integer),
            Kind::Text => match row.try_get_unchecked::<Option<&str>, _>(at)? {
                Some(kept) => Some(Value::Text(unescaped(kept).ok_or_else(damaged)?)),
                None => None,
            },
            Kind::Blob => row.try_get_unchecked::<Option<Vec<u8>>, _>(at)?.map(Value::Blob),
        };
        Ok(value.unwrap_or(Value::Null))
    };
    kinds.iter().enumerate().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::{escaped, unescaped};

    /// Every text comes back, and two texts are in the same order as what is kept of them.
    #[test]
    fn kept_texts_come_back_and_keep_their_order() {
        let alphabet = ['\0', '\u{1}', '\u{2}', '\u{3}', 'a'];
        let mut texts = vec![String::new()];
        for length in 0..4 {
            let longer = texts.iter().filter(|text| text.len() == length).cloned().collect::<Vec<_>>();
            texts.extend(longer.iter().flat_map(|text| alphabet.map(|next| format!("{text}{next}"))));
        }
        for one in &texts {
            assert!(!escaped(one).contains('\0'));
            assert_eq!(unescaped(&escaped(one)).as_ref(), Some(one));
            assert!(texts.iter().all(|other| one.cmp(other) == escaped(one).cmp(&escaped(other))));
        }
        assert_eq!(unescaped("\u{1}x"), None);
    }
}
