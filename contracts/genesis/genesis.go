// Package genesis holds the parameters that deployments begin with, one file a
// network. It parses nothing: contracts/devchain and contracts/supply read them.
package genesis

import _ "embed" // for Dev and Token

// Dev is dev.json: the parameters of development networks.
//
//go:embed dev.json
var Dev []byte

// Token is token.json: the whole supply of the token and when it is free. Its
// beneficiaries are placeholders to which nobody has a key.
//
//go:embed token.json
var Token []byte
