#!/usr/bin/env bash
# Phase 0 in less than 20 seconds: post, query, alert, stop. Exit code 0 says that all of it happened.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --locked -p phase0
folder=$(mktemp -d)
log=$folder/log
"${CARGO_TARGET_DIR:-target}/debug/phase0" --port 0 --data-file "$folder/metrics.jsonl" \
    --rule "boiler_temperature > 80 for 1s" --check-interval 200ms >"$log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
wait_for() { # wait_for TEXT: until the server has printed it, 10 seconds at most
    for _ in $(seq 100); do grep -m 1 -- "$1" "$log" && return; sleep 0.1; done
    echo "the server never said: $1" >&2
    exit 1
}
post() { curl --silent --show-error --fail-with-body --json "$1" "$url/metrics"; echo; }

say "1. Start phase 0 on a free port"
url=$(wait_for "listening on" | sed 's/listening on //')
echo "listening on $url"

say "2. Post one metric, then a batch of three"
post '{"name":"boiler_temperature","value":61.5}' | grep --fixed-strings '"accepted":1}'
post '{"metrics":[{"name":"pump_speed","value":900},{"name":"pump_speed","value":1100},{"name":"pump_speed","value":1000}]}' |
    grep --fixed-strings '"accepted":3}'

say "3. Query them: the points, then their average"
for _ in $(seq 50); do # accepted is not stored yet
    points=$(curl --silent --fail-with-body "$url/query?name=pump_speed")
    [ "$(grep --only-matching pump_speed <<<"$points" | wc -l)" = 3 ] && break
    sleep 0.1
done
echo "$points"
curl --silent --fail-with-body "$url/query?name=pump_speed&agg=avg" | grep --fixed-strings '"value":1000.0'

say "4. Drive the boiler over 80 degrees for a second, then cool it down"
post '{"name":"boiler_temperature","value":92.25}'
wait_for "alert firing: boiler_temperature > 80"
post '{"name":"boiler_temperature","value":64}'
wait_for "alert resolved: boiler_temperature > 80"

say "5. Stop: what is queued is written first"
kill -TERM "$server"
wait "$server"
wait_for "stopped: wrote"
