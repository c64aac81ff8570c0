//! Latencies, counted in buckets that are at most 1.6 % wide, however long they are.

use std::time::Duration;

/// Buckets per doubling, as a power of two.
const PRECISION: u32 = 6;
/// Enough buckets for every number of nanoseconds in 64 bits.
const BUCKETS: usize = ((64 - PRECISION as usize) + 1) << PRECISION;

/// Counts of durations.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into_boxed_slice(), total: 0, longest: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one.
    pub(crate) fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.longest = self.longest.max(duration);
    }

    /// Adds another's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    /// The longest.
    pub(crate) fn max(&self) -> Duration {
        self.longest
    }

    /// The duration that `percent` of all do not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        let rank = ((self.total as f64) * percent / 100.0).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return Duration::from_nanos(upper_bound(index)).min(self.longest);
            }
        }
        self.longest
    }
}

fn bucket(nanos: u64) -> usize {
    let octave = nanos.checked_ilog2().unwrap_or(0).saturating_sub(PRECISION);
    // Below the first doubling `octave` is 0 and the value is its own index; above it the top bits are.
    ((octave as usize) << PRECISION) + (nanos >> octave) as usize
}

fn upper_bound(index: usize) -> u64 {
    let octave = (index >> PRECISION).saturating_sub(1);
    let top = (index - (octave << PRECISION)) as u64;
    (top << octave) + ((1 << octave) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_contain_their_values_and_are_narrow() {
        let values =
            (0..64).flat_map(|shift| [0, 1, 5].map(|more: u64| (1u64 << shift).saturating_add(more << (shift / 2))));
        for value in values.chain([u64::MAX]) {
            let index = bucket(value);
            let upper = upper_bound(index);
            assert!(upper >= value, "{value} lies above its bucket's end {upper}");
            assert!(upper - value <= value / 60, "{value} is far from its bucket's end {upper}");
            assert!(index == 0 || upper_bound(index - 1) < value, "{value} belongs into an earlier bucket");
        }
    }

    #[test]
    fn percentiles() {
        let mut histogram = Histogram::default();
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        let half = histogram.percentile(50.0).as_secs_f64();
        assert!((0.5..0.51).contains(&half), "{half}");
        assert_eq!(histogram.percentile(100.0), Duration::from_secs(1));
        assert_eq!(Histogram::default().percentile(99.0), Duration::ZERO);
    }
}
