// Package genesis holds the parameters that deployments begin with, one file a
// network. It parses nothing: contracts/devchain reads them.
package genesis

import _ "embed" // for Dev

// Dev is dev.json: the parameters of development networks.
//
//go:embed dev.json
var Dev []byte
