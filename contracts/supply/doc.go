// Package supply is the schedule by which OPEN comes into circulation: a checked
// configuration, and arithmetic that gives wei for wei what the vesting vaults give
// (OpenZeppelin's VestingWallet: linear, rounded down, nothing before the start).
//
// Invariants: the buckets add up to the supply; what circulates never falls and ends at
// the supply.
//
// It knows no chain: contracts/devchain deploys the token, and a test there holds the
// two together month by month. Burnt tokens are not in the schedule.
package supply
