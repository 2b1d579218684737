//! Randomness that repeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ports::Random;

/// SplitMix64: the same seed gives the same bytes in the same order of calls. Never for a host.
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

impl SeededRandom {
    /// Begins at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }

    /// The next number.
    #[must_use]
    pub fn next_u64(&self) -> u64 {
        let mut z = self.0.fetch_add(GAMMA, Ordering::SeqCst).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (byte, random) in chunk.iter_mut().zip(self.next_u64().to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_reference_sequence() {
        let random = SeededRandom::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(expected.map(|_| random.next_u64()), expected);
    }

    #[test]
    fn fills_every_byte_and_repeats() {
        let (mut one, mut two) = ([0; 19], [0; 19]);
        SeededRandom::new(7).fill(&mut one);
        SeededRandom::new(7).fill(&mut two);
        assert_eq!(one, two);
        assert!(one[16..].iter().any(|b| *b != 0));
    }
}
