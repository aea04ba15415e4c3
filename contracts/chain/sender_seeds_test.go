//go:build !long

package chain

// propertySeeds is how many random histories the sender's property is tried on.
const propertySeeds = 25
