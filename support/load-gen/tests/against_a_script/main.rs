//! The generator is judged by servers that do exactly what a script says.

mod outcomes;
mod server;
mod truth;
