//! E-mail through a real SMTP server: the adapter alone, and the whole program.

mod adapter;
mod program;
