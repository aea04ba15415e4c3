// Package base is the small base model that the binary carries, so that serving,
// fine-tuning and attribution work without any download. MODEL_CARD.md says what it
// was trained on and what it can do; package pretrain makes it.
//
// Invariants: the embedded files are an ordinary Hugging Face model folder, exactly
// as pretrain wrote them, and their hash names the model in the whole network.
//
// It does not load the weights into memory: llama.New does, from the Bundle.
package base

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/openledger/openledger/worker/engine/weights"
)

//go:embed config.json model.safetensors tokenizer.json tokenizer_config.json MODEL_CARD.md training.json
var files embed.FS

// Files is the model folder.
func Files() fs.FS { return files }

// Open opens the embedded model.
func Open() (*weights.Bundle, error) {
	b, err := weights.Open(files)
	if err != nil {
		return nil, fmt.Errorf("embedded base model: %w", err)
	}
	return b, nil
}

// Card is the model card, in Markdown.
func Card() string {
	b, err := files.ReadFile("MODEL_CARD.md")
	if err != nil {
		return "" // cannot happen: the file is embedded
	}
	return string(b)
}
