#!/usr/bin/env bash
# The README's test command: every default test of every default member, doctests included.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo test --locked "$@"
