//go:build !long

package validator

// everyLie says that also lies that are much like others are tried.
const everyLie = false
