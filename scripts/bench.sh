#!/usr/bin/env bash
# All figures of docs/benchmarks.md, one after the other on one core. Usage: scripts/bench.sh [CORE]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

core=${1:-0}
python=${VENV:-.venv}/bin/python
for name in codec_speed cold_start player_footprint wire tier_bytes entropy silence bad_packets token_reading mouth_to_ear; do
    say "$name"
    OMP_NUM_THREADS=1 taskset -c "$core" "$python" -m "benchmarks.$name" --core "$core"
done
