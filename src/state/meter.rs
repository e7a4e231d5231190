//! Limits of a call: fuel, in ticks of the interpreter (the same everywhere for the same script), and
//! time, by the host's clock, which is asked only now and then. Pure: no Lua state, no host.
//!
//! Keeps true: what was used is exact, whatever the slices; once exceeded, it stays so until the outermost
//! call ends.

/// Time and fuel that one call may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CallLimits {
    /// Milliseconds; infinite for no limit.
    pub(crate) timeout_ms: f64,
    /// Ticks; None for no limit.
    pub(crate) fuel: Option<u64>,
    /// Limits that this is the rest of.
    pub(crate) whole: Whole,
}

/// Limits that messages name: milliseconds and ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Whole {
    pub(crate) timeout_ms: f64,
    pub(crate) fuel: u64,
}

impl CallLimits {
    pub(crate) const UNLIMITED: CallLimits = CallLimits::new(f64::INFINITY, None);

    /// Limits that are no rest of others.
    pub(crate) const fn new(timeout_ms: f64, fuel: Option<u64>) -> Self {
        let ticks = match fuel {
            Some(ticks) => ticks,
            None => u64::MAX,
        };
        CallLimits { timeout_ms, fuel, whole: Whole { timeout_ms, fuel: ticks } }
    }
}

/// Reason that a call was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitExceeded {
    Timeout,
    Fuel,
    Interrupt,
    /// The program has ended itself.
    Exit,
}

/// Limits at which the call under way ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallEnd {
    /// The most ticks that may be used since the outermost call began.
    fuel: u64,
    /// Time of the host's clock, in milliseconds. NaN: counted from the first time that the clock is asked.
    deadline_ms: f64,
    timeout_ms: f64,
    whole: Whole,
}

/// Ticks from one look at the clock to the next: as many as take about half a millisecond.
const SLICE_MIN: i32 = 16;
const SLICE_FIRST: i32 = 250;
const SLICE_MAX: i32 = 20_000;
/// A slice that took longer was too long, one that took less too short.
const SLICE_LONG_MS: f64 = 1.0;
const SLICE_SHORT_MS: f64 = 0.25;

#[derive(Debug)]
pub(crate) struct Meter {
    /// Limits of calls that have none of their own.
    pub(crate) usual: CallLimits,
    /// Limits of the next call only.
    pub(crate) next: Option<CallLimits>,
    call_end: CallEnd,
    /// Ticks used since the outermost call began, without the slice under way.
    used: u64,
    /// Ticks of the slice under way.
    given: i32,
    slice: i32,
    /// Number that a tick counts as: 1, unless a table was made whose keys all collide. It only grows,
    /// because nobody knows when such a table is used.
    weight: u32,
    /// Time, in milliseconds, when the clock was asked last in this call; NaN: not yet.
    asked_ms: f64,
    exceeded: Option<LimitExceeded>,
    /// Ticks that the last outermost call that ran Lua used.
    last_used: u64,
}

impl Meter {
    pub(crate) fn new(usual: CallLimits) -> Self {
        let call_end = CallEnd {
            fuel: u64::MAX,
            deadline_ms: f64::INFINITY,
            timeout_ms: f64::INFINITY,
            whole: CallLimits::UNLIMITED.whole,
        };
        Meter {
            usual,
            next: None,
            call_end,
            used: 0,
            given: 0,
            slice: SLICE_FIRST,
            weight: 1,
            asked_ms: f64::NAN,
            exceeded: None,
            last_used: 0,
        }
    }

    /// Begins the outermost call. Returns the first slice.
    pub(crate) fn begin(&mut self) -> i32 {
        let CallLimits { timeout_ms, fuel, whole } = self.next.take().unwrap_or(self.usual);
        self.used = 0;
        self.exceeded = None;
        self.asked_ms = f64::NAN;
        self.call_end = CallEnd { fuel: fuel.unwrap_or(u64::MAX), deadline_ms: f64::NAN, timeout_ms, whole };
        if timeout_ms <= 0.0 {
            // No time is left: the first tick finds that out.
            self.given = 0;
            return 0;
        }
        self.next_slice()
    }

    /// Begins a call inside of another, which may have less, never more. Returns its slice (`left`: of the
    /// one under way), and what `end_inner` wants.
    pub(crate) fn begin_inner(&mut self, left: i32, now_ms: f64) -> Option<(i32, CallEnd)> {
        let CallLimits { timeout_ms, fuel, whole } = self.next.take()?;
        self.account(left);
        self.start_clock(now_ms);
        let outer = self.call_end;
        let fuel_end = fuel.map_or(u64::MAX, |fuel| self.used.saturating_add(fuel));
        self.call_end = CallEnd {
            fuel: outer.fuel.min(fuel_end),
            deadline_ms: outer.deadline_ms.min(now_ms + timeout_ms),
            timeout_ms: outer.timeout_ms.min(timeout_ms),
            whole: Whole {
                timeout_ms: outer.whole.timeout_ms.min(whole.timeout_ms),
                fuel: outer.whole.fuel.min(self.used.saturating_add(whole.fuel)),
            },
        };
        Some((self.next_slice(), outer))
    }

    /// Ends a call inside of another: the outer call continues, unless it is over its own limits. Returns its
    /// slice.
    pub(crate) fn end_inner(&mut self, left: i32, outer: CallEnd) -> i32 {
        self.account(left);
        self.call_end = outer;
        if !matches!(self.exceeded, Some(LimitExceeded::Interrupt | LimitExceeded::Exit)) {
            self.exceeded = None;
        }
        if self.exceeded.is_some() { -1 } else { self.next_slice() }
    }

    /// Ends the outermost call.
    pub(crate) fn end(&mut self, left: i32) {
        self.account(left);
        self.exceeded = None;
        if self.used > 0 {
            self.last_used = self.used;
        }
    }

    /// Gives more ticks when none are left. Returns how many, or why there are none.
    pub(crate) fn refuel(&mut self, left: i32, now_ms: f64, interrupted: bool) -> Result<i32, LimitExceeded> {
        self.account(left);
        let exceeded = self.exceeded.or_else(|| self.check(now_ms, interrupted));
        if let Some(limit) = exceeded {
            self.exceeded = Some(limit);
            return Err(limit);
        }
        let took_ms = now_ms - self.asked_ms;
        if took_ms > SLICE_LONG_MS {
            self.slice = (self.slice / 4).max(SLICE_MIN);
        } else if took_ms < SLICE_SHORT_MS {
            self.slice = (self.slice * 2).min(self.slice_max());
        }
        self.asked_ms = now_ms;
        Ok(self.next_slice())
    }

    /// Ends the call that runs, and those around it, at the wish of the program.
    pub(crate) fn exit(&mut self, left: i32) {
        self.account(left);
        self.exceeded = self.exceeded.or(Some(LimitExceeded::Exit));
    }

    /// Counts ticks of work beside Lua's own (`left`: of the slice under way). Returns what is left of the
    /// slice, negative when the meter must be asked.
    pub(crate) fn charge(&mut self, left: i32, ticks: u64) -> i32 {
        if self.exceeded.is_some() {
            return -1;
        }
        if let Some(rest) = i32::try_from(ticks).ok().and_then(|ticks| left.checked_sub(ticks)) {
            return rest;
        }
        self.account(left);
        self.used = self.used.saturating_add(ticks);
        // Nothing is given, and one tick is taken beyond that: the one that asks, which is not counted.
        self.given = -1;
        -1
    }

    /// Makes each tick count as so many from now on (`left`: of the slice under way). Returns the slice up to
    /// the next tick, at which the clock is asked.
    pub(crate) fn weigh(&mut self, left: i32, weight: u32) -> i32 {
        if weight <= self.weight || self.exceeded.is_some() {
            return left;
        }
        self.account(left);
        self.weight = weight;
        self.slice = self.slice.min(self.slice_max());
        0
    }

    fn slice_max(&self) -> i32 {
        i32::try_from(SLICE_MAX.unsigned_abs() / self.weight).unwrap_or(SLICE_MAX).max(1)
    }

    /// True if time is not counted yet. The clock is not asked at the start: most calls end before they would
    /// look at the clock.
    pub(crate) fn wants_start(&self) -> bool {
        self.call_end.deadline_ms.is_nan()
    }

    /// Starts to count time, if it is not counted yet.
    pub(crate) fn start_clock(&mut self, now_ms: f64) {
        if self.wants_start() {
            self.call_end.deadline_ms = now_ms + self.call_end.timeout_ms;
        }
    }

    /// Ends the slice after other code has run for an unknown time: the clock is asked at the next tick.
    /// Returns the slice up to there.
    pub(crate) fn end_slice(&mut self, left: i32) -> i32 {
        if self.exceeded.is_some() {
            return -1;
        }
        self.account(left);
        0
    }

    fn check(&mut self, now_ms: f64, interrupted: bool) -> Option<LimitExceeded> {
        if interrupted {
            return Some(LimitExceeded::Interrupt);
        }
        // One tick past the last one that is allowed is the one that exceeds the limit.
        if self.used > self.call_end.fuel {
            return Some(LimitExceeded::Fuel);
        }
        self.start_clock(now_ms);
        (now_ms >= self.call_end.deadline_ms).then_some(LimitExceeded::Timeout)
    }

    fn account(&mut self, left: i32) {
        if self.exceeded.is_some() {
            return;
        }
        self.used += self.taken(left);
        self.given = 0;
    }

    /// Ticks of the slice under way that are used.
    fn taken(&self, left: i32) -> u64 {
        let ticks = (i64::from(self.given) - i64::from(left)).max(0).unsigned_abs();
        ticks.saturating_mul(self.weight.into())
    }

    fn next_slice(&mut self) -> i32 {
        let left = self.call_end.fuel.saturating_sub(self.used) / u64::from(self.weight);
        let left = i32::try_from(left).unwrap_or(i32::MAX);
        self.given = self.slice.min(left);
        self.given
    }

    pub(crate) fn exceeded(&self) -> Option<LimitExceeded> {
        self.exceeded
    }

    /// Ticks that the last outermost call used.
    pub(crate) fn last_used(&self) -> u64 {
        self.last_used
    }

    /// Ticks that the outermost call has used that ended last, also where those are none.
    pub(crate) fn used_at_end(&self) -> u64 {
        self.used
    }

    /// Ticks that the call under way has used (`left`: of the slice under way).
    pub(crate) fn used(&self, left: i32) -> u64 {
        self.used + if self.exceeded.is_some() { 0 } else { self.taken(left) }
    }

    /// Limits of the call under way, for messages.
    pub(crate) fn whole(&self) -> Whole {
        self.call_end.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(timeout_ms: f64, fuel: Option<u64>) -> Meter {
        Meter::new(CallLimits::new(timeout_ms, fuel))
    }

    /// Uses ticks one slice after the other; how many until it exceeded, and why.
    fn run(meter: &mut Meter, mut slice: i32, ms_per_slice: f64) -> (u64, LimitExceeded) {
        let (mut used, mut now) = (0, 0.0);
        loop {
            used += slice as u64 + 1;
            now += ms_per_slice;
            match meter.refuel(-1, now, false) {
                Ok(more) => slice = more,
                Err(limit) => return (used, limit),
            }
        }
    }

    #[test]
    fn fuel_ends_exactly_whatever_the_slices() {
        for fuel in [1, 10, 999, 1000, 1001, 123_457] {
            for ms in [0.0, 0.5, 100.0] {
                let mut meter = meter(f64::INFINITY, Some(fuel));
                let slice = meter.begin();
                let (used, limit) = run(&mut meter, slice, ms);
                assert_eq!(limit, LimitExceeded::Fuel);
                assert!((fuel..=fuel + 1 + fuel / 16).contains(&used), "{fuel} {ms}: {used}");
            }
        }
    }

    #[test]
    fn an_ended_slice_changes_no_count() {
        let mut meter = meter(f64::INFINITY, Some(1000));
        let mut left = meter.begin();
        let mut used = 0;
        let limit = loop {
            used += 1;
            left -= 1;
            if left < 0 {
                match meter.refuel(left, 0.0, false) {
                    Ok(more) => left = more,
                    Err(limit) => break limit,
                }
            } else if used % 7 == 0 {
                left = meter.end_slice(left);
            }
        };
        assert_eq!((used, limit), (1001, LimitExceeded::Fuel));
    }

    #[test]
    fn time_is_counted_from_the_first_look_at_the_clock() {
        let mut meter = meter(50.0, None);
        let slice = meter.begin();
        let mut now = 1000.0;
        assert!(meter.refuel(-1, now, false).is_ok() && slice > 0);
        while meter.refuel(-1, now, false).is_ok() {
            now += 7.0;
        }
        assert_eq!((meter.exceeded(), now), (Some(LimitExceeded::Timeout), 1056.0));
    }

    #[test]
    fn slices_follow_the_clock() {
        let mut meter = meter(f64::INFINITY, None);
        meter.begin();
        let mut now = 0.0;
        let mut slice = 0;
        for _ in 0..20 {
            now += 0.1;
            slice = meter.refuel(-1, now, false).expect("goes on");
        }
        assert_eq!(slice, SLICE_MAX);
        for _ in 0..20 {
            now += 5.0;
            slice = meter.refuel(-1, now, false).expect("goes on");
        }
        assert_eq!(slice, SLICE_MIN);
    }

    #[test]
    fn heavier_ticks_count_as_more_from_then_on() {
        let mut meter = meter(f64::INFINITY, Some(10_000));
        let mut left = meter.begin() - 100;
        left = meter.weigh(left, 10);
        assert_eq!((left, meter.used(left)), (0, 100));
        let (mut ticks, limit) = (
            0,
            loop {
                match meter.refuel(-1, 0.0, false) {
                    Ok(more) => assert!(more <= SLICE_MAX / 10),
                    Err(limit) => break limit,
                }
            },
        );
        ticks += meter.used(0);
        assert_eq!(limit, LimitExceeded::Fuel);
        assert!((10_000..10_100).contains(&ticks), "{ticks}");
        assert_eq!(meter.weigh(5, 3), 5, "it only grows");
    }

    #[test]
    fn an_inner_call_may_have_less_and_never_more() {
        let mut meter = meter(100.0, Some(10_000));
        meter.begin();
        meter.next = Some(CallLimits::new(1e9, Some(1_000_000)));
        let (_, outer) = meter.begin_inner(500, 0.0).expect("has its own");
        assert_eq!(meter.call_end.fuel, 10_000);
        assert!(meter.refuel(-1, 200.0, false).is_err(), "the outer deadline holds");
        assert!(meter.end_inner(-1, outer) > 0, "the outer call finds that out by itself");
        assert_eq!(meter.refuel(-1, 200.0, false), Err(LimitExceeded::Timeout));
        assert_eq!(meter.refuel(-1, 0.0, false), Err(LimitExceeded::Timeout), "once exceeded, it stays so");
    }
}
