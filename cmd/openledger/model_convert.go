package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/worker/engine/quant"
	"github.com/openledger/openledger/worker/engine/weights"
	"github.com/openledger/openledger/worker/engine/weights/gguf"
)

func modelConvert(c *cli) *cobra.Command {
	var to, typ, base string
	cmd := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Convert a model or adapter between Hugging Face folders and GGUF files",
		Long: `Convert writes a model as a GGUF file or as a Hugging Face folder, with its weights as
they are stored or in another type. Adapters go between PEFT folders and GGUF files;
they need their base model's configuration.`,
		Example: `  openledger model convert ./Llama-3.2-1B llama.gguf --type q8_0
  openledger model convert llama.gguf ./llama-hf --to hf --type bf16
  openledger model convert ./adapter adapter.gguf --base ./Llama-3.2-1B`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			in, out := args[0], args[1]
			if to == "" {
				to = "hf"
				if strings.HasSuffix(out, ".gguf") {
					to = "gguf"
				}
			}
			if to != "hf" && to != "gguf" {
				return protocol.Errorf(protocol.KindInvalid, "to", "%q is unknown: use gguf or hf", to)
			}
			if _, err := os.Stat(out); err == nil {
				return protocol.Errorf(protocol.KindInvalid, "OUT", "%s exists: name another place, or remove it first", out)
			}
			conv := weights.Conversion{Name: strings.TrimSuffix(filepath.Base(in), ".gguf")}
			if typ != "" {
				t, err := quant.ParseType(typ)
				if err != nil {
					return protocol.Errorf(protocol.KindInvalid, "type", "%w", err)
				}
				conv.Type = &t
			}
			var err error
			if isAdapter(in) {
				if conv.Type != nil {
					return protocol.Errorf(protocol.KindInvalid, "type", "adapters are written as F32 only: leave --type out")
				}
				err = convertAdapter(in, out, to, base)
			} else {
				bar := newBar(c.err, "converting", 0)
				conv.Progress = bar.progress("tensors")
				err = convertModel(in, out, to, conv)
				bar.stop()
			}
			if err != nil {
				return err
			}
			info, err := inspect(out)
			if err != nil {
				return fmt.Errorf("what was written cannot be read: %w", err)
			}
			info.Tensors = nil
			return c.print(info, func(w io.Writer) { showInfo(w, info) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "to", "", "format to write: gguf or hf (default: by the name of OUT)")
	f.StringVar(&typ, "type", "", "type of the matrices: f32, f16, bf16, and for GGUF q8_0 or q4_0 (default: as stored)")
	f.StringVar(&base, "base", "", "base model of an adapter")
	return cmd
}

func convertModel(in, out, to string, conv weights.Conversion) (err error) {
	b, err := weights.OpenPath(in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if to == "gguf" {
		_, err := writeWhole(out, func(w io.Writer) error { return b.WriteGGUF(w, conv) })
		return err
	}
	return inFolder(out, func(create func(string, func(io.Writer) error) error) error { return b.WriteHF(create, conv) })
}

func convertAdapter(in, out, to, base string) error {
	cfg, err := baseConfig(base)
	if err != nil {
		return err
	}
	a, err := openAdapter(in, base)
	if err != nil {
		return err
	}
	if to == "gguf" {
		_, err := writeWhole(out, func(w io.Writer) error { return gguf.WriteAdapter(w, a, cfg, filepath.Base(in)) })
		return err
	}
	config, tensors, err := weights.EncodePEFT(a, filepath.Base(base))
	if err != nil {
		return err
	}
	return inFolder(out, func(create func(string, func(io.Writer) error) error) error {
		for name, data := range map[string][]byte{weights.AdapterConfigFile: config, weights.AdapterWeightsFile: tensors} {
			if err := create(name, func(w io.Writer) error { _, err := io.Copy(w, bytes.NewReader(data)); return err }); err != nil {
				return err
			}
		}
		return nil
	})
}

// inFolder fills a folder that appears only when it is complete.
func inFolder(out string, fill func(create func(string, func(io.Writer) error) error) error) (err error) {
	part := out + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(part) // the first error tells more
		}
	}()
	err = fill(func(name string, write func(io.Writer) error) error {
		_, err := writeWhole(filepath.Join(part, name), write)
		return err
	})
	if err != nil {
		return err
	}
	return os.Rename(part, out)
}
