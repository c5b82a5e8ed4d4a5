# shellcheck shell=bash
# Sourced by the scripts beside it: one voice for what a person reads.
say()  { printf '==> %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die()  { printf 'error: %s\n' "$*" >&2; exit 1; }
