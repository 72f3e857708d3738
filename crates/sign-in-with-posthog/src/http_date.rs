//! The date of a `Date` or `Retry-After` header (RFC 9110, section 5.6.7).

/// Unix seconds of an IMF-fixdate, the only form that is sent today: `Tue, 24 Nov 2026 18:02:05 GMT`.
pub(crate) fn unix_seconds(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_weekday, day, month, year, time, "GMT"] = words[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|&name| name == month)?;
    let (day, year) = (number(day, 1, 31)?, number(year, 1970, 9999)?);
    let times: Vec<&str> = time.split(':').collect();
    let [hours, minutes, seconds] = times[..] else {
        return None;
    };
    // 60 is a leap second.
    let time =
        (number(hours, 0, 23)? * 60 + number(minutes, 0, 59)?) * 60 + number(seconds, 0, 60)?;
    Some((days(year, i64::try_from(month).ok()?) + day - 1) * 86_400 + time)
}

fn number(text: &str, least: i64, most: i64) -> Option<i64> {
    let number = text.parse().ok()?;
    (least..=most).contains(&number).then_some(number)
}

/// Days from 1970-01-01 to the first of a month, January being 0. Years are counted from March, so that
/// the day that a leap year has more comes last.
fn days(year: i64, month: i64) -> i64 {
    let year = if month < 2 { year - 1 } else { year };
    let before = (153 * ((month + 10) % 12) + 2) / 5;
    year * 365 + year / 4 - year / 100 + year / 400 + before - 719_468
}

#[cfg(test)]
mod tests {
    use super::unix_seconds;

    #[test]
    fn dates_are_read_around_leap_days_and_turns_of_the_year() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Mon, 28 Feb 2000 23:59:59 GMT", 951_782_399),
            ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Fri, 31 Dec 2027 23:59:59 GMT", 1_830_297_599),
            ("Sat, 01 Jan 2028 00:00:00 GMT", 1_830_297_600),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
        ] {
            assert_eq!(unix_seconds(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "soon",
            "120",
            "Tue, 24 Nov 2026 18:02:05 CET",
            "Tue, 24 Foo 2026 18:02:05 GMT",
            "Tue, 24 Nov 2026 18:02 GMT",
            "Tue, 32 Nov 2026 18:02:05 GMT",
            "Tue, 24 Nov 99999999999999999999 18:02:05 GMT",
        ] {
            assert_eq!(unix_seconds(text), None, "{text}");
        }
    }
}
