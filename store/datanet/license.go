package datanet

import (
	"github.com/github/go-spdx/v2/spdxexp"

	"github.com/openledger/openledger/protocol"
)

// CheckLicense refuses what is not an SPDX licence expression.
func CheckLicense(expression string) error {
	if expression == "" {
		return protocol.Errorf(protocol.KindInvalid, "license", "is missing: give an SPDX expression such as CC0-1.0 or CC-BY-4.0 (https://spdx.org/licenses)")
	}
	if len(expression) > 256 {
		return protocol.Errorf(protocol.KindInvalid, "license", "is %d characters long, the limit is 256", len(expression))
	}
	if !validSPDX(expression) {
		return protocol.Errorf(protocol.KindInvalid, "license", "%q is not an SPDX expression: use one such as CC0-1.0 or CC-BY-4.0 (https://spdx.org/licenses)", expression)
	}
	return nil
}

// validSPDX asks the SPDX parser, which panics on some expressions that end too
// early.
func validSPDX(expression string) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	ok, _ = spdxexp.ValidateLicenses([]string{expression})
	return ok
}
