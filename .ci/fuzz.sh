#!/usr/bin/env bash
# Fuzzes every target of the repository in turn, FUZZTIME each (default 2m), or those whose
# name or package matches the first argument. Ends at the first finding, which Go has
# written to the package's testdata.
set -euo pipefail
cd "$(dirname "$0")/.."
only=${1:-.}
grep -ro '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . | sort | while IFS=: read -r file func; do
  pkg=$(dirname "$file") target=${func#func }
  [[ "$pkg/$target" =~ $only ]] || continue
  printf '%s %s\n' "$pkg" "$target"
  # Making an interesting input smaller would take minutes of the time.
  "${GO:-go}" test "$pkg" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-2m}" -fuzzminimizetime 10x | tail -n 3
done
