//! Conformance suites: functions over a port, stamped into one test a case by a macro line.
