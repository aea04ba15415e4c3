// Command generate writes the clients of sdk/typescript and sdk/python from the API's
// description: a method for every operation, and in Python the types of what goes and
// comes (TypeScript's are made by openapi-typescript).
//
// Invariants: the same description gives the same files, in its order; every operation
// has a method in both, but those of OpenAI's endpoints, which its own clients have, and
// those of leftOut.
//
// It writes no transport, errors or signatures: those are written by hand beside it.
package main

//go:generate ../../coordinator/web/app/node_modules/.bin/openapi-typescript ../../coordinator/api/openapi.yaml -o ../typescript/src/schema.ts
//go:generate go run .

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run("../../coordinator/api/openapi.yaml", ".."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run reads the description and writes what is generated of both clients below sdk.
func run(description, sdk string) error {
	raw, err := os.ReadFile(description)
	if err != nil {
		return err
	}
	api, err := parse(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", description, err)
	}
	files, err := api.files()
	if err != nil {
		return fmt.Errorf("%s: %w", description, err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(sdk, f.path), []byte(f.text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// file is one that is generated; its path is below sdk.
type file struct{ path, text string }

func (a *api) files() ([]file, error) {
	types, err := a.pythonTypes()
	if err != nil {
		return nil, err
	}
	return []file{
		{"python/openledger/types.py", types},
		{"python/openledger/operations.py", a.pythonOperations()},
		{"typescript/src/operations.ts", a.typescript()},
	}, nil
}
