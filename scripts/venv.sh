#!/usr/bin/env bash
# Make .venv where there is none and install this checkout into it, editable, held to constraints.txt.
# Usage: scripts/venv.sh EXTRAS        e.g. scripts/venv.sh cpu,demo
# PYTHON=... chooses the interpreter (3.11 or newer), VENV=... the folder.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

extras=${1:?usage: scripts/venv.sh EXTRAS}
venv=${VENV:-.venv}
NEEDED='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null && "$candidate" -c "$NEEDED" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    if [ -z "$python" ] && [ -z "${PYTHON:-}" ]; then
        scripts/debian-packages.sh python3 python3-venv || true
        python=$(find_python)
    fi
    [ -n "$python" ] || die "Python 3.11 or newer is needed and was not found (looked for: ${PYTHON:-python3, python3.11 to python3.14}). \
On Debian 12: apt-get install python3 python3-venv. Elsewhere name one: make PYTHON=/path/to/python3.12"
    # Debian keeps this half of the standard library in a package of its own.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        scripts/debian-packages.sh python3-venv || true
        "$python" -c 'import ensurepip, venv' 2>/dev/null ||
            die "$python cannot make a virtual environment (no ensurepip). On Debian: apt-get install python3-venv, then make again."
    fi
    say "making $venv with $("$python" --version)"
    # --clear: half an environment, left by an interrupted run, is worse than none.
    "$python" -m venv --clear "$venv"
fi

# Both builds of ONNX Runtime write the same files. Take the other one away before this one comes.
case ",$extras," in *,cpu,*) other=onnxruntime-gpu ;; *,cuda,*) other=onnxruntime ;; *) other= ;; esac
if [ -n "$other" ] && "$venv/bin/python" -c "import importlib.metadata as m; m.distribution('$other')" 2>/dev/null; then
    die "$venv already holds $other, which shares its files with the build asked for. Start afresh: make clean-venv"
fi

say "installing voxwire[$extras] into $venv"
quiet=(--quiet)
[ -t 1 ] && quiet=()
"$venv/bin/python" -m pip install --no-input --disable-pip-version-check "${quiet[@]+"${quiet[@]}"}" \
    -c constraints.txt -e ".[$extras]" </dev/null ||
    die "pip could not install voxwire[$extras]; its own words are above. Without a network, set PIP_FIND_LINKS to a folder of wheels."
