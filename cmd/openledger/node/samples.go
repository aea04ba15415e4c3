package node

import (
	"github.com/openledger/openledger/cmd/openledger/fables"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/finetune"
)

// Templates that make questions and answers of the fables.
const (
	FablesPrompt = `What is the lesson of the fable "{title}"?`
	FablesAnswer = `{lesson}`
)

// Samples are the files of records that a coordinator offers to begin with.
func Samples() ([]api.Sample, error) {
	all, err := fables.All()
	if err != nil {
		return nil, err
	}
	return []api.Sample{{
		Name: "aesop.jsonl", Title: "Fables of Aesop", License: "CC0-1.0", Records: len(all), Content: fables.JSONL(),
		Description:    "Fables with their lessons, from The Aesop for Children (1919)",
		PromptTemplate: FablesPrompt, AnswerTemplate: FablesAnswer,
	}}, nil
}

// DefaultHyper are the trainer's defaults in the protocol's words.
func DefaultHyper() protocol.Hyper {
	d := finetune.Defaults()
	return protocol.Hyper{
		Rank: d.Rank, Alpha: d.Alpha, Targets: d.Targets, LearningRate: d.LearningRate, WeightDecay: d.WeightDecay,
		Epochs: d.Epochs, BatchSize: d.BatchSize, MaxLength: d.MaxLength, WarmupRatio: d.WarmupRatio,
	}
}
