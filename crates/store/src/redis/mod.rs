//! Adapters on Redis. Nothing that Redis holds is the only copy of anything: emptied, rolled back or gone, it costs time.
