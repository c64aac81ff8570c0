//! The pages over a stub of the API.

mod stub;
