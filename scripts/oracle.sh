#!/usr/bin/env bash
# Make the environment of the official Qwen3-TTS tokenizer, which only tests and benchmarks run, in a process of its own.
# Usage: scripts/oracle.sh
# VENV=... is the environment of this checkout, which must be there; the oracle's is its name and "-oracle".
#
# Its packages cannot live in .venv: transformers 4.57.3 wants a huggingface-hub below 1.0. Its own requirements are not
# installed as they stand, because gradio, torchaudio and sox are of no use to the tokenizer (the worker stands in for
# them). torch, numpy and safetensors come from .venv through a .pth file: both sides compute with the same ones, and
# the folder stays below 200 MB.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

venv=${VENV:-.venv}
oracle=$venv-oracle
[ -x "$venv/bin/python" ] || die "$venv is missing: make $venv/.installed-dev"

say "making $oracle"
rm -rf "$oracle"
"$venv/bin/python" -m venv --without-pip "$oracle"
quiet=(--quiet)
[ -t 1 ] && quiet=()
"$venv/bin/python" -m pip --python "$oracle/bin/python" install --no-input --disable-pip-version-check --no-deps \
    "${quiet[@]+"${quiet[@]}"}" -r scripts/oracle.txt </dev/null ||
    die "pip could not install scripts/oracle.txt; its own words are above. What needs it is skipped."

# Written last: pip must not take what .venv holds for installed here. Relative to nothing: .pth lines are whole paths.
site=$("$oracle/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$site/checkout.pth"
PYTHONPATH=$PWD "$oracle/bin/python" -m benchmarks.qwen3.official --check ||
    die "$oracle was made, but the official package does not start in it."
touch "$oracle/.installed"
