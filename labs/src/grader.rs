//! The grader: judges any server, in any language, by its sockets alone.
//!
//! What always holds: it knows a server by its address and by the process that it started, never by
//! its source.
