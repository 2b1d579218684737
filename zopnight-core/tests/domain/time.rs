//! Instants: known vectors and their text form.

use std::time::Duration;

use proptest::prelude::*;
use zopnight_core::domain::Timestamp;

/// Text, and microseconds since the epoch.
const VECTORS: &[(&str, i64)] = &[
    ("1970-01-01T00:00:00.000Z", 0),
    ("2026-01-01T00:00:00.000Z", 1_767_225_600_000_000),
    ("2000-02-29T12:34:56.789Z", 951_827_696_789_000),
    ("2038-01-19T03:14:08.000Z", 2_147_483_648_000_000),
    ("1969-12-31T23:59:59.999Z", -1_000),
    ("1900-03-01T00:00:00.000Z", -2_203_891_200_000_000),
    ("2100-03-01T00:00:00.000Z", 4_107_542_400_000_000),
    ("1582-10-15T00:00:00.000Z", -12_219_292_800_000_000),
    ("0000-01-01T00:00:00.000Z", -62_167_219_200_000_000),
    ("9999-12-31T23:59:59.999Z", 253_402_300_799_999_000),
];

#[test]
fn known_vectors_both_ways() {
    for (text, micros) in VECTORS {
        let t = Timestamp::parse(text).unwrap();
        assert_eq!(t.as_micros(), *micros, "{text}");
        assert_eq!(t.to_string(), *text);
        assert_eq!(Timestamp::from_micros(*micros), t);
        assert_eq!(serde_json::to_string(&t).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Timestamp>(&format!("\"{text}\"")).unwrap(), t);
    }
}

#[test]
fn spellings_of_one_instant() {
    for text in [
        "2026-01-01T00:00:00Z",
        "2026-01-01t00:00:00z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00-00:00",
        "2026-01-01T05:30:00+05:30",
        "2025-12-31T16:00:00-08:00",
        "2026-01-01T00:00:00.000000000Z",
    ] {
        assert_eq!(Timestamp::parse(text).unwrap().as_secs(), 1_767_225_600, "{text}");
    }
    let micros = |text: &str| Timestamp::parse(text).unwrap().as_micros() - 1_767_225_600_000_000;
    assert_eq!(micros("2026-01-01T00:00:00.5Z"), 500_000);
    assert_eq!(micros("2026-01-01T00:00:00.000001Z"), 1);
    assert_eq!(micros("2026-01-01T00:00:00.999999999Z"), 999_999);
}

#[test]
fn what_is_no_instant() {
    for bad in [
        "",
        "now",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00Z",
        "26-01-01T00:00:00Z",
        "2026-1-1T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00+0000",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60",
        "2026-01-01T00:00:00+1:00",
        "2026-01-01T00:00:00ZZ",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z ",
        "+026-01-01T00:00:00Z",
        "2026-01-01T+0:00:00Z",
        "2026-01-01T00:00:00,5Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "２026-01-01T00:00:00Z",
        "2026-01-01T00:00:00é",
    ] {
        assert!(Timestamp::parse(bad).is_err(), "{bad}");
    }
    for json in ["0", "null", "1767225600", "[]"] {
        assert!(serde_json::from_str::<Timestamp>(json).is_err(), "{json}");
    }
}

#[test]
fn arithmetic_stays_within_the_calendar() {
    let t = Timestamp::from_secs(1_767_225_600);
    assert_eq!(t.plus(Duration::from_secs(60)).since(t), Duration::from_secs(60));
    assert_eq!(t.minus(Duration::from_millis(1)).to_string(), "2025-12-31T23:59:59.999Z");
    assert_eq!(t.minus(Duration::from_secs(1)).since(t), Duration::ZERO);
    assert_eq!(t.plus(Duration::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    assert_eq!(t.minus(Duration::MAX).to_string(), "0000-01-01T00:00:00.000Z");
    assert_eq!(Timestamp::from_secs(i64::MAX), Timestamp::from_micros(i64::MAX));
    assert_eq!(Timestamp::from_micros(-1).as_secs(), -1);
}

/// The date of a day number, by counting years and months: slow and plainly right.
fn counted(mut days: i64) -> String {
    let leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let mut year = 0;
    while days >= if leap(year) { 366 } else { 365 } {
        days -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!("{year:04}-{:02}-{:02}", month + 1, days + 1)
}

proptest! {
    #[test]
    fn text_gives_the_instant_back_to_the_millisecond(micros: i64) {
        let t = Timestamp::from_micros(micros);
        let again = Timestamp::parse(&t.to_string()).unwrap();
        prop_assert_eq!(again.as_micros(), t.as_micros().div_euclid(1_000) * 1_000);
        prop_assert_eq!(again.to_string(), t.to_string());
    }

    #[test]
    fn dates_are_those_of_the_calendar(day in 0_i64..3_652_425) {
        let t = Timestamp::from_secs((day - 719_528) * 86_400);
        prop_assert_eq!(t.to_string(), format!("{}T00:00:00.000Z", counted(day)));
    }

    #[test]
    fn any_text_is_answered(text in crate::grammar::texts(), near in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,11})?(Z|[+-][0-9]{2}:[0-9]{2})?") {
        for text in [text, near] {
            if let Ok(t) = Timestamp::parse(&text) {
                prop_assert!(Timestamp::parse(&t.to_string()).is_ok());
            }
        }
    }
}
