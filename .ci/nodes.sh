#!/usr/bin/env bash
# Brings anvil, geth and clef into bin/nodes by npm and Go, then runs the tests that need them.
# geth and clef come from older releases than go.mod's: clef left go-ethereum after 1.17.0,
# and 1.17.10's geth needs a module that not every proxy serves.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
bin=$PWD/bin/nodes
mkdir -p "$bin"
[ -x "$bin/node_modules/.bin/anvil" ] || npm install --no-fund --no-audit --prefix "$bin" @foundry-rs/anvil@1.7.1
build() { # program version
  [ -x "$bin/$1" ] && return
  dir=$(cd / && $GO mod download -json "github.com/ethereum/go-ethereum@$2" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  (cd "$dir" && $GO build -o "$bin/$1" "./cmd/$1")
}
build geth v1.17.5
build clef v1.17.0
# The program itself: npm's wrapper would leave it running when a test ends the wrapper.
anvil=$(find "$bin/node_modules/@foundry-rs" -path '*anvil-*' -type f -name 'anvil*' -perm -u+x | head -1)
export OPENLEDGER_ANVIL=$anvil OPENLEDGER_GETH=$bin/geth OPENLEDGER_CLEF=$bin/clef
$GO test -timeout 10m ./cmd/openledger -run '^TestSeparateProcesses$'
$GO test -tags long -timeout 20m ./cmd/openledger -run '^TestSeparateProcessesOn'
$GO test -tags long -timeout 5m ./contracts/keystore/clef
