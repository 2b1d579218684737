//! Stateful, inspectable fakes of the ports, with faults to script.
