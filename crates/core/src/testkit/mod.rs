//! What tests of other crates need: conformance suites, a clock that tests hold, an auditor.
