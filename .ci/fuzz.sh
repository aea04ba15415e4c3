#!/usr/bin/env bash
# Fuzzes every target of the repository in turn, FUZZTIME each (default 2m), or those whose
# name or package matches the first argument. Ends at the first finding, which Go has
# written to the package's testdata.
set -euo pipefail
cd "$(dirname "$0")/.."
only=${1:-.}
targets=$(grep -ro '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . | sed 's|/[^/]*:func |/|' | grep -E -- "$only" | sort) ||
  { echo "FUZZ: no target matches $only" >&2; exit 1; }
for name in $targets; do
  pkg=${name%/*} target=${name##*/}
  printf '%s %s\n' "$pkg" "$target"
  # Making an interesting input smaller would take minutes of the time.
  "${GO:-go}" test "$pkg" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-2m}" -fuzzminimizetime 10x | tail -n 3
done
