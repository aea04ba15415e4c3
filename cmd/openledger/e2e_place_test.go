package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/coordinator/api"
)

// Adapters are loaded, pinned and unloaded on a running worker by who may.
func TestAdaptersArePlacedFromTheCommandLine(t *testing.T) {
	s := newSeparate(t, 1, chosenLedger())
	s.startWorker(t, 0)
	s.awaitWorkers(t, 1)
	s.keysFromTheCommandLine(t)
	s.publishLessons(t)
	s.trained(t, "lessons", askLesson, "{lesson}", "--epochs", "1")
	type placed struct {
		Workers []api.AdapterPlacement `json:"workers"`
	}
	order := func(action string) (p placed) {
		t.Helper()
		run(t, &p, s.verb("adapter", action, "lessons")...)
		require.Len(t, p.Workers, 1)
		require.Empty(t, p.Workers[0].Error)
		return p
	}
	require.Equal(t, "device", order("load").Workers[0].Tier)
	for _, action := range []string{"pin", "unpin", "unload"} {
		_, errs, code := verb(t, s.verb("adapter", action, "lessons")...)
		require.NotZero(t, code)
		require.Contains(t, errs, "operators", "the requester is no operator of this worker")
	}

	// The worker's owner makes the requester an operator.
	s.workers[0].kill()
	home := node.Home{Dir: s.homes[0]}
	var settings node.WorkerSettings
	require.NoError(t, node.ReadJSON(home.Path(node.WorkerFile), &settings))
	settings.Operators = append(settings.Operators, s.accounts["requester"])
	require.NoError(t, node.WriteJSON(home.Path(node.WorkerFile), settings))
	s.again(t, 0)
	require.Eventually(t, func() bool { // until the coordinator has noticed that this is another process
		_, _, code := verb(t, s.verb("adapter", "load", "lessons")...)
		return code == 0
	}, time.Minute, 200*time.Millisecond)

	p := order("pin")
	require.Equal(t, "device", p.Workers[0].Tier)
	require.True(t, p.Workers[0].Pinned)
	s.asked(t, "lessons", `What is the lesson of "The Fox and the Crow"?`)
	require.False(t, order("unpin").Workers[0].Pinned)
	require.Equal(t, "disk", order("unload").Workers[0].Tier)
	s.asked(t, "lessons", `What is the lesson of "The Lion and the Mouse"?`)
	_, errs, code := verb(t, s.verb("adapter", "load", "nobody")...)
	require.NotZero(t, code)
	require.Contains(t, errs, "nobody")
}
