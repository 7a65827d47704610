#!/usr/bin/env bash
# Where a phase's time goes under load: a flame graph, the hottest functions, and what a request costs.
# scripts/profile.sh craft1-phase4 --workload batch --file batch.svg
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo compare profile "$@"
