//! Tests of the whole program. One binary: a new file is a new module here.
