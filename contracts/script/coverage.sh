#!/bin/sh
# The share of the lines of src that the tests reach: fails below 95 %, with the lines that are not
# reached. Tests of gas are left out: it is compiled without the optimizer.
set -eu
least=${1:-95}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
forge coverage --no-match-test invariant --no-match-contract 'GasTest$' --report lcov --report-file "$dir/lcov.info" >"$dir/log" || { cat "$dir/log" >&2; exit 1; }
awk -F'[:,]' -v least="$least" '
  $1 == "SF" { file = $2; ours = file ~ /^src\// }
  ours && $1 == "DA" { lines++; of[file]++; if ($3 > 0) { hit++; got[file]++ } else missed[file] = missed[file] " " $2 }
  END {
    if (!lines) { print "no line of src in the report"; exit 1 }
    for (f in of) printf "%6.2f %%  %s%s\n", 100 * got[f] / of[f], f, missed[f] ? "  not reached:" missed[f] : ""
    printf "%6.2f %%  of %d lines, %s %% wanted\n", 100 * hit / lines, lines, least
    exit 100 * hit < least * lines
  }' "$dir/lcov.info"
