//! Instants.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::grammar::{parsed, refuse};
use crate::error::Result;

/// Microseconds since 1970-01-01T00:00:00Z. Text and JSON: RFC 3339, UTC, milliseconds, `Z`.
///
/// ```
/// use zopnight_core::domain::Timestamp;
/// let t = Timestamp::parse("2026-01-01T00:00:00.250Z").unwrap();
/// assert_eq!(t.as_micros(), 1_767_225_600_250_000);
/// assert_eq!(t.to_string(), "2026-01-01T00:00:00.250Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

const MICROS: i64 = 1_000_000;
/// 9999-12-31T23:59:59.999999Z, the last instant RFC 3339 can write.
const MAX: i64 = 253_402_300_799 * MICROS + 999_999;
/// 0000-01-01T00:00:00Z.
const MIN: i64 = -62_167_219_200 * MICROS;

impl Timestamp {
    /// The instant this many microseconds after the epoch, kept within the years 0 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(MIN, MAX))
    }

    /// The instant this many seconds after the epoch.
    #[must_use]
    pub fn from_secs(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(MICROS))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// This instant and `d` more.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This instant and `d` less.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        Self::from_micros(self.0.saturating_sub(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Parses RFC 3339 with `Z` or a numeric offset and up to nine fraction digits (cut to microseconds).
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| refuse("time", "must be RFC 3339", text))
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i64>().ok()).flatten()
    };
    let is = |at: usize, c: &[u8]| text.as_bytes().get(at).is_some_and(|b| c.contains(b));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = text.get(19..)?;
    let (micros, rest) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(tail) => {
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            let mut fraction = tail.get(..digits)?.to_owned();
            fraction.push_str("000000");
            (fraction.get(..6)?.parse::<i64>().ok()?, tail.get(digits..)?)
        }
    };
    let of_day = seconds_of(hour, minute)?.checked_add(second)?.checked_sub(offset(rest)?)?;
    let seconds = days_from_civil(year, month, day).checked_mul(86_400)?.checked_add(of_day)?;
    let micros = seconds.checked_mul(MICROS)?.checked_add(micros)?;
    (MIN..=MAX).contains(&micros).then_some(Timestamp(micros))
}

fn offset(text: &str) -> Option<i64> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let west = match text.as_bytes().first()? {
        b'+' => false,
        b'-' => true,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let field = |t: &str, max: i64| {
        (t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit()))
            .then(|| t.parse::<i64>().ok())
            .flatten()
            .filter(|n| *n <= max)
    };
    let seconds = seconds_of(field(hours, 23)?, field(minutes, 59)?)?;
    if west { seconds.checked_neg() } else { Some(seconds) }
}

fn seconds_of(hours: i64, minutes: i64) -> Option<i64> {
    hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
#[expect(clippy::arithmetic_side_effects, reason = "a year of four digits keeps every term far from the bounds of i64")]
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The reverse, for the days of the years 0 to 9999.
#[expect(clippy::arithmetic_side_effects, reason = "a Timestamp is clamped to years of four digits, so every term is small")]
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.as_secs();
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let millis = self.0.rem_euclid(MICROS) / 1_000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        parsed(deserializer, Self::parse)
    }
}
