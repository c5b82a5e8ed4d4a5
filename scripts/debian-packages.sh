#!/usr/bin/env bash
# Install the named Debian packages where root or passwordless sudo allows; start no service; leave the machine as found.
# Usage: scripts/debian-packages.sh PACKAGE...
# Returns 0 when all are there afterwards, 3 when some are still missing (each is named, with what to type).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

POLICY=/usr/sbin/policy-rc.d
KEPT=$POLICY.before-voxwire

missing() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || printf '%s ' "$package"
    done
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    warn "this is not Debian or a relative of it; install what these packages hold by its own means: $*"
    exit 3
fi
wanted=$(missing "$@")
[ -n "$wanted" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    warn "no right to install: ${wanted% }. What needs them is skipped. To have them: sudo apt-get install ${wanted% }"
    exit 3
fi
root() { "${as_root[@]+"${as_root[@]}"}" "$@"; }

# invoke-rc.d asks this file before it starts a service: 101 means "not allowed".
restore_policy() {
    trap - EXIT
    root rm -f "$POLICY"
    if root test -e "$KEPT" || root test -L "$KEPT"; then root mv -f "$KEPT" "$POLICY"; fi
}
trap restore_policy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# A file kept by an earlier run that was killed is the machine's own: it must not be overwritten by ours.
if { root test -e "$POLICY" || root test -L "$POLICY"; } && ! root test -e "$KEPT" && ! root test -L "$KEPT"; then
    root mv "$POLICY" "$KEPT"
fi
printf '#!/bin/sh\nexit 101\n' | root tee "$POLICY" >/dev/null
root chmod 755 "$POLICY"

say "installing Debian packages: ${wanted% }"
apt() { root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@" </dev/null; }
log=$(mktemp)
# shellcheck disable=SC2086  # a list of names, one word each
if ! { apt update && apt install -y --no-install-recommends $wanted; } >"$log" 2>&1; then
    # One name that this release lacks must not cost us the others.
    for package in $wanted; do
        apt install -y --no-install-recommends "$package" >"$log" 2>&1 || tail -n 5 "$log" >&2
    done
fi
rm -f "$log"
restore_policy

wanted=$(missing "$@")
[ -z "$wanted" ] || { warn "could not install: ${wanted% }"; exit 3; }
