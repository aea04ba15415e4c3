package chain

import "github.com/ethereum/go-ethereum/accounts/abi"
import "github.com/openledger/openledger/protocol"

func errorABIs() []*abi.ABI { return nil }
func kindOf(string) protocol.Kind { return protocol.KindInvalid }
