//! Civil dates: the proleptic Gregorian calendar, in whole seconds since 1970-01-01. Pure arithmetic.

pub(super) const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The calendar fields of a moment; every field is in its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) year: i64,
    /// Month, 1 to 12.
    pub(super) month: i64,
    /// Day of the month, 1 to 31.
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    /// Days since Sunday, 0 to 6.
    pub(super) week_day: i64,
    /// Days since January 1, 0 to 365.
    pub(super) year_day: i64,
}

/// Years that C's `struct tm` can hold: it counts from 1900 in an int.
const YEARS: std::ops::RangeInclusive<i64> = i32::MIN as i64 + 1900..=i32::MAX as i64 + 1900;

impl Fields {
    /// Splits a moment, in seconds since 1970-01-01, into fields. Returns `None` if C Lua could not represent
    /// the year.
    pub(super) fn of(seconds: i64) -> Option<Fields> {
        let days = seconds.div_euclid(DAY_SECONDS);
        let clock = seconds.rem_euclid(DAY_SECONDS);
        let (year, month, day) = civil(days);
        YEARS.contains(&year).then(|| Fields {
            year,
            month,
            day,
            hour: clock / 3600,
            minute: clock / 60 % 60,
            second: clock % 60,
            // 1970-01-01 was a Thursday.
            week_day: (days + 4).rem_euclid(7),
            year_day: days - days_before(year, 1, 1),
        })
    }

    /// The year and the number of the week of ISO 8601 that the day is in: weeks begin on Monday, and week 1
    /// has the year's first Thursday.
    pub(super) fn iso_week(&self) -> (i64, i64) {
        // A week belongs to the year that its Thursday is in.
        let thursday = self.year_day + 3 - (self.week_day + 6) % 7;
        let (year, thursday) = if thursday < 0 {
            (self.year - 1, thursday + year_days(self.year - 1))
        } else if thursday >= year_days(self.year) {
            (self.year + 1, thursday - year_days(self.year))
        } else {
            (self.year, thursday)
        };
        (year, thursday / 7 + 1)
    }
}

/// Days from 1970-01-01 to a date. The month and the day may be out of range: month 13 is the next January.
pub(super) fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March end with the leap day, and all eras of 400 years are alike.
    let months = year * 12 + month - 3;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5;
    era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year + day - 1 - EPOCH
}

/// The year, month and day that is `days` after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + i64::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day)
}

fn year_days(year: i64) -> i64 {
    days_before(year + 1, 1, 1) - days_before(year, 1, 1)
}

/// Days in 400 years.
const ERA_DAYS: i64 = 146_097;
/// Days from March 1 of the year 0 to 1970-01-01.
const EPOCH: i64 = 719_468;
