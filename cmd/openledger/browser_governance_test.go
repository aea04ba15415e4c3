package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
)

// disputes looks at a batch that was found to lie, and at the honest one beside it.
func (b *browser) disputes(g guilt) {
	b.t.Helper()
	b.view(1280, "light")
	b.open("/receipts?tab=disputes")
	b.see("found wrong")
	b.see("found right")
	b.click("link", fmt.Sprintf("number %d", g.dispute))
	b.await("The batch pays nobody, what it drew goes back to those who asked, and its worker lost stake.")
	for _, words := range []string{
		"its root or total does not follow from what it lists", "challenged it with a bond of 100 OPEN",
		"A committee of 1 was drawn for round 1.", "says that it is wrong", "of stake", "may not work until", "Decided: found wrong.",
	} {
		b.see(words)
	}
	b.fits("dispute")
	b.reload()
	b.click("link", fmt.Sprintf("batch %d", g.batch.Nonce))
	b.await("those who asked have their money back in escrow")
	b.await("Nobody: it was rejected.")
	require.Empty(b.t, b.faults())
}

// governance changes how fees are split, from an account with no vote: by the pages alone,
// while the test moves the chain's clock.
func (b *browser) governance(n *network, dev *devchain.Chain, voter chain.Key) {
	b.t.Helper()
	ctx := b.t.Context()
	b.wallet(n.chain, voter)
	b.view(1280, "light")
	b.open("/governance/new")
	b.open("/governance")
	b.click("link", "Propose a change")
	b.click("button", "Connect account")
	b.click("button", testWallet)
	b.await("and you have 0 OPEN.")
	require.True(b.t, eval[bool](b, `[...document.querySelectorAll('button')].find(e => e.innerText === 'Propose it').disabled`), "nobody proposes without votes")
	b.fill("OPEN for voting", "12000")
	b.click("button", "Wrap")
	b.await("Your GOPEN votes for nobody yet")
	b.click("button", "Delegate")
	b.await("You have 12,000 OPEN of votes")

	alert := func(words string) {
		b.t.Helper()
		b.poll("be told "+words, fmt.Sprintf(`[...document.querySelectorAll('main [role=alert]')].some(e => e.innerText.includes(%s))`, quoted(words)), within)
	}
	b.fill("Parameter", "fees.shares")
	b.fill("Platform, %", "150")
	alert("It can be at most 99.99 %.")
	b.fill("Platform, %", "5")
	alert("the four parts have to add up to 100 %")
	b.fill("Contributors, %", "55")
	b.await("fees.setShares(")
	b.fill("Title", "More for contributors")
	b.fill("Why", "<b>They</b> do the work.")
	b.fits("governance-new")
	b.click("button", "Propose it")
	b.await("The vote begins in")
	b.see("<b>They</b> do the work.")
	path := eval[string](b, `location.pathname`)
	require.True(b.t, strings.HasPrefix(path, "/governance/0x"), path)

	rules, err := n.chain.VotingRules(ctx)
	require.NoError(b.t, err)
	after := func(seconds uint64) {
		b.t.Helper()
		require.NoError(b.t, dev.AdvanceTime(time.Duration(seconds)*time.Second))
	}
	after(rules.VotingDelay + 2)
	b.click("button", "Vote for")
	b.await("You have voted.")
	b.await("12,000 OPEN (100 %)")
	b.fits("governance-proposal")
	after(rules.VotingPeriod + 1)
	b.click("button", "Hand it to the timelock")
	b.await("It can be done in")
	after(rules.TimelockDelay + 1)
	b.click("button", "Do what it says")
	b.await("It is done")
	p, err := n.chain.FeeParams(ctx)
	require.NoError(b.t, err)
	require.Equal(b.t, []uint64{500, 2000, 2000, 5500}, []uint64{p.PlatformBps, p.OwnerPart, p.StakersPart, p.ContributorsPart})
	voice, err := n.chain.VoiceOf(ctx, voter.Account())
	require.NoError(b.t, err)
	require.Equal(b.t, []uint256.Int{node.Open(12_000), node.Open(12_000)}, []uint256.Int{voice.Balance, voice.Votes})

	b.reload()
	b.click("link", "All proposals")
	b.await("executed")
	b.await("yourself")
	b.fits("governance-list")
}
