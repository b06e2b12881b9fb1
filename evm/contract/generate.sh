#!/bin/sh
# Compiles the Solidity sources and writes the Go bindings. Needs node, npm and
# go; only someone who changes a contract runs it, since what it writes is
# committed. The compiler goes to a temporary folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tmp" solc@0.8.37
cp "$here/compile.cjs" "$tmp/"
mkdir -p "$here/compiled"
node "$tmp/compile.cjs" "$here"

bind() { # contract, file
	(cd "$here" && go run github.com/ethereum/go-ethereum/cmd/abigen@v1.17.10 --v2 \
		--abi "compiled/$1.abi" --bin "compiled/$1.bin" --pkg contract --type "$1" --out "$2.gen.go")
}
bind ENSRegistry ensregistry
bind DomainNotifier domainnotifier
bind RoleDefinitionResolver resolver
bind EthereumDIDRegistry didregistry
gofmt -w "$here"/*.gen.go
