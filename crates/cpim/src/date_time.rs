use std::fmt;

use wire::Timestamp;

use crate::ParseError;

/// A point in time with the sender's offset from UTC, as RFC 3339 writes it: the DateTime header of CPIM and the times in
/// IMDN and isComposing documents. Microseconds; what is finer is cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DateTime {
    /// Microseconds since 1970-01-01T00:00:00Z, negative before.
    micros: i64,
    /// Minutes east of UTC.
    offset: i16,
}

impl DateTime {
    /// A point in time, to be printed as UTC.
    pub fn utc(at: Timestamp) -> DateTime {
        let last = DAYS_TO_YEAR_10000 * DAY - 1;
        DateTime { micros: i64::try_from(at.as_micros()).unwrap_or(last).min(last), offset: 0 }
    }

    /// The point in time, unless it is before 1970.
    pub fn timestamp(self) -> Option<Timestamp> {
        u64::try_from(self.micros).ok().map(Timestamp::from_micros)
    }

    /// Reads a `date-time` of RFC 3339 §5.6. Also taken: lower-case letters, a space for the `T`, and an offset without its
    /// colon, as Java's formatter writes it. A leap second is the first instant of the next minute.
    pub fn parse(text: &str) -> Result<DateTime, ParseError> {
        let mut scan = Scan { text: text.as_bytes(), at: 0 };
        let (year, month, day) = (scan.number(4, 0..=9999)?, scan.part(b"-", 1..=12)?, scan.part(b"-", 1..=31)?);
        if day > days_in_month(year, month) {
            return Err(ParseError::new(8, "a day of that month"));
        }
        let (hour, minute, second) = (scan.part(b"Tt ", 0..=23)?, scan.part(b":", 0..=59)?, scan.part(b":", 0..=60)?);
        let fraction = scan.fraction()?;
        let offset = scan.offset()?;
        if scan.at < text.len() {
            return Err(ParseError::new(scan.at, "the end of the date and time"));
        }
        let seconds = (days_from_epoch(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - offset * 60;
        Ok(DateTime { micros: seconds * 1_000_000 + fraction, offset: offset as i16 })
    }
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Days from 1970-01-01 to 10000-01-01, which four digits cannot write.
const DAYS_TO_YEAR_10000: i64 = 2_932_897;

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn number(&mut self, digits: usize, range: std::ops::RangeInclusive<i64>) -> Result<i64, ParseError> {
        let start = self.at;
        let mut n = 0;
        for _ in 0..digits {
            let digit = self.peek().filter(u8::is_ascii_digit).ok_or(ParseError::new(self.at, "a digit"))?;
            n = n * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        if range.contains(&n) { Ok(n) } else { Err(ParseError::new(start, "a number in range")) }
    }

    /// A separator and two digits.
    fn part(&mut self, separators: &[u8], range: std::ops::RangeInclusive<i64>) -> Result<i64, ParseError> {
        match self.peek() {
            Some(b) if separators.contains(&b) => self.at += 1,
            Some(_) | None => return Err(ParseError::new(self.at, "a separator of date and time")),
        }
        self.number(2, range)
    }

    /// `.` and digits, in microseconds; nothing is zero.
    fn fraction(&mut self) -> Result<i64, ParseError> {
        if self.peek() != Some(b'.') {
            return Ok(0);
        }
        self.at += 1;
        let (start, mut micros, mut unit) = (self.at, 0, 100_000);
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            micros += i64::from(digit - b'0') * unit;
            unit /= 10;
            self.at += 1;
        }
        if self.at > start { Ok(micros) } else { Err(ParseError::new(start, "a digit")) }
    }

    /// `Z` or `±hh:mm`, in minutes.
    fn offset(&mut self) -> Result<i64, ParseError> {
        let sign = match self.peek() {
            Some(b'Z' | b'z') => 0,
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) | None => return Err(ParseError::new(self.at, "Z or an offset from UTC")),
        };
        self.at += 1;
        if sign == 0 {
            return Ok(0);
        }
        let hours = self.number(2, 0..=23)?;
        let minutes = if self.peek() == Some(b':') { self.part(b":", 0..=59)? } else { self.number(2, 0..=59)? };
        Ok(sign * (hours * 60 + minutes))
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        i64::MIN..=i64::MAX => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar. The year is taken to begin in March, so that the leap day ends it.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let years = if month <= 2 { year - 1 } else { year };
    let months = (month + 9) % 12;
    let (era, of_era) = (years.div_euclid(400), years.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (months * 153 + 2) / 5 + day - 1 - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let months = (5 * of_year + 2) / 153;
    let day = of_year - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    (era * 400 + years + i64::from(month <= 2), month, day)
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = i64::from(self.offset);
        let local = self.micros + offset * 60_000_000;
        let (days, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        match micros {
            0 => {}
            m if m % 1000 == 0 => write!(f, ".{:03}", m / 1000)?,
            m => write!(f, ".{m:06}")?,
        }
        match offset {
            0 => f.write_str("Z"),
            o => write!(f, "{}{:02}:{:02}", if o < 0 { '-' } else { '+' }, o.abs() / 60, o.abs() % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_points_in_time() {
        let table = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-12-13T13:40:00-08:00", 976_743_600_000_000),
            ("2026-11-23T06:14:56.978697+00:00", 1_795_414_496_978_697),
            ("2024-02-29t23:59:60.5z", 1_709_251_200_500_000),
            ("2024-03-01 08:00:00.1234567890+0800", 1_709_251_200_123_456),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ];
        for (text, micros) in table {
            assert_eq!(DateTime::parse(text).unwrap().timestamp(), Some(Timestamp::from_micros(micros)), "{text}");
        }
        assert_eq!(DateTime::parse("0000-01-01T00:00:00Z").unwrap().timestamp(), None);
        assert_eq!(DateTime::parse("2000-12-13T13:40:00-08:00").unwrap().to_string(), "2000-12-13T13:40:00-08:00");
        assert_eq!(DateTime::utc(Timestamp::from_micros(u64::MAX)).to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn what_is_no_date_and_time_is_refused() {
        let all = "|2026|2026-13-01T00:00:00Z|2026-02-29T00:00:00Z|2026-01-01T24:00:00Z|2026-01-01T00:60:00Z|\
            2026-01-01T00:00:61Z|2026-01-01T00:00:00|2026-01-01T00:00:00.Z|2026-01-01T00:00:00+99:99|\
            2026-01-01T00:00:00+1|2026-01-01T00:00:00Zx|10000-01-01T00:00:00Z|2026-01-01|-001-01-01T00:00:00Z";
        for text in all.split('|') {
            assert!(DateTime::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(micros in 0..253_402_214_400_000_000_i64, offset in -1439..1440_i16) {
            let time = DateTime { micros, offset };
            prop_assume!(micros + i64::from(offset) * 60_000_000 >= -62_167_219_200_000_000);
            prop_assert_eq!(DateTime::parse(&time.to_string()), Ok(time));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9]{0,5}[-:TZ.+ 0-9é]{0,30}") {
            if let Ok(time) = DateTime::parse(&text) {
                prop_assert_eq!(DateTime::parse(&time.to_string()), Ok(time));
            }
        }
    }
}
