package node

import (
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

func isAddress(s string) bool { return strings.HasPrefix(s, "0x") && common.IsHexAddress(s) }

func address(s string) protocol.Account { return common.HexToAddress(s) }

// ParseAccount reads an address.
func ParseAccount(field, s string) (protocol.Account, error) {
	if !isAddress(s) {
		return protocol.Account{}, protocol.Errorf(protocol.KindInvalid, field, "%q is not an account (0x and 40 hexadecimal digits)", s)
	}
	return address(s), nil
}

// ParseOpen reads an amount in OPEN, such as "12.5", exactly.
func ParseOpen(field, s string) (uint256.Int, error) {
	bad := func() (uint256.Int, error) {
		return uint256.Int{}, protocol.Errorf(protocol.KindInvalid, field, "%q is not an amount in OPEN, such as 12.5 (at most 18 decimals)", s)
	}
	whole, part, _ := strings.Cut(s, ".")
	if whole == "" || len(part) > 18 || strings.ContainsAny(whole+part, "+-_ ") {
		return bad()
	}
	v, err := uint256.FromDecimal(strings.TrimLeft(whole+part+strings.Repeat("0", 18-len(part)), "0") + "")
	if strings.Trim(whole+part, "0") == "" {
		return uint256.Int{}, nil
	}
	if err != nil {
		return bad()
	}
	return *v, nil
}

// FormatOpen writes an amount of wei in OPEN, exactly.
func FormatOpen(v uint256.Int) string {
	d := v.Dec()
	if len(d) <= 18 {
		d = strings.Repeat("0", 19-len(d)) + d
	}
	whole, part := d[:len(d)-18], strings.TrimRight(d[len(d)-18:], "0")
	if part == "" {
		return whole
	}
	return whole + "." + part
}
