//! Kafka stops in mid-sale, and comes back.
