package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/openledger/openledger/cmd/openledger/client"
	"github.com/openledger/openledger/cmd/openledger/node"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/keystore"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// errReported ends a verb that has said itself what is wrong.
var errReported = errors.New("reported")

// cli is what the verbs share.
type cli struct {
	out, err io.Writer
	in       io.Reader

	home     string
	api      string
	apiKey   string
	password string // file
	account  string
	remote   string // address of an external signer
	json     bool

	// baseModel is the folder or GGUF file of the network's base; empty: the embedded one.
	baseModel string

	verbose bool
	quiet   bool // errors only: a verb that makes trouble on purpose
}

// settings is the one configuration file, config.toml in the home.
type settings struct {
	API          string `toml:"api"`           // coordinator's URL
	Account      string `toml:"account"`       // name or address of the account that signs
	PasswordFile string `toml:"password_file"` // of the wallet
	Signer       string `toml:"signer"`        // address of an external signer
	APIKeyFile   string `toml:"api_key_file"`
	BaseModel    string `toml:"base_model"` // folder or GGUF file; default: the embedded one
}

func newRoot(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "openledger",
		Short: "A network of GPU workers that pays the people whose data it learned from",
		Long: `OpenLedger is a peer-to-peer network of workers that fine-tune and serve models on
contributed data, attribute every answer to the records that taught it, and pay
their contributors on a chain.

Start with 'openledger demo', which runs the whole story in a few minutes, or with
'openledger devnet', a network of your own on this machine.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkSigner(cmd); err != nil {
				return err
			}
			return c.load()
		},
	}
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.StringVar(&c.home, "home", "", "folder of keys, settings and data (default ~/.openledger, or $OPENLEDGER_HOME)")
	f.StringVar(&c.api, "api", "", "coordinator's URL (default from config.toml, or $OPENLEDGER_API)")
	f.StringVar(&c.account, "as", "", "account that signs: a name in the wallet or an address (default from config.toml)")
	f.StringVar(&c.remote, "signer", "", "address of an external signer that holds the key, such as clef's http://127.0.0.1:8550 (default from config.toml, or $OPENLEDGER_SIGNER)")
	f.StringVar(&c.password, "password-file", "", "file with the wallet's password (default: password in the home)")
	f.StringVar(&c.baseModel, "base-model", "", "folder or GGUF file of the network's base model (default from config.toml, or $OPENLEDGER_BASE_MODEL, or the embedded one)")
	f.BoolVar(&c.json, "json", false, "print JSON on standard output")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "log what happens to standard error")
	root.AddCommand(
		newDemo(c), newDevnet(c), newChain(c), newCoordinator(c), newWorker(c), newValidator(c),
		newDatanet(c), newAgent(c), newMCP(c), newAdapter(c), newInfer(c), newChat(c), newQuote(c), newReceipts(c), newAttribution(c), newRewards(c), newClaim(c), newEpoch(c),
		newWallet(c), newStake(c), newEscrow(c), newDelegate(c), newToken(c), newGov(c), newDisputes(c), newSim(c), newBase(c), newModel(c), newVersion(c),
	)
	explainArguments(root)
	return root
}

// flagError says what the flags' parser means. It takes -1 for a flag called 1, where the
// user means a number: no verb takes one below zero.
func flagError(cmd *cobra.Command, err error) error {
	var unknown interface{ GetSpecifiedShortnames() string }
	if !errors.As(err, &unknown) {
		return err
	}
	given := unknown.GetSpecifiedShortnames()
	if strings.Trim(given, "0123456789.") != "" || given == "" {
		return err
	}
	field := "argument"
	// What stands before it has been read: its place says what it was meant to be.
	if names := strings.Fields(cmd.Use)[1:]; cmd.Flags().NArg() < len(names) {
		field = strings.ToLower(strings.Trim(names[cmd.Flags().NArg()], "[]."))
	}
	return protocol.Errorf(protocol.KindInvalid, field, "-%s is below zero: '%s --help' shows what it takes", given, cmd.CommandPath())
}

// load applies, in this order: flags, environment, config.toml, defaults.
func (c *cli) load() error {
	first := func(dst *string, values ...string) {
		for _, v := range values {
			if *dst == "" {
				*dst = v
			}
		}
	}
	first(&c.home, os.Getenv("OPENLEDGER_HOME"))
	if c.home == "" {
		dir, err := os.UserHomeDir()
		if err != nil {
			return protocol.Errorf(protocol.KindInvalid, "home", "%w: name a folder with --home", err)
		}
		c.home = filepath.Join(dir, ".openledger")
	}
	var s settings
	if _, err := toml.DecodeFile(c.Home().Path("config.toml"), &s); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return protocol.Errorf(protocol.KindInvalid, "config.toml", "%w", err)
	}
	first(&c.api, os.Getenv("OPENLEDGER_API"), s.API, "http://127.0.0.1:8420")
	first(&c.account, s.Account)
	first(&c.remote, os.Getenv("OPENLEDGER_SIGNER"), s.Signer)
	first(&c.password, s.PasswordFile)
	first(&c.apiKey, os.Getenv("OPENLEDGER_API_KEY"))
	first(&c.baseModel, os.Getenv("OPENLEDGER_BASE_MODEL"), s.BaseModel)
	if c.baseModel != "" { // it is written into settings that are read elsewhere
		path, err := filepath.Abs(c.baseModel)
		if err != nil {
			return protocol.Errorf(protocol.KindInvalid, "base-model", "%w", err)
		}
		c.baseModel = path
	}
	if c.apiKey == "" {
		first(&s.APIKeyFile, c.Home().Path("api.key"))
		c.apiKey = readLine(s.APIKeyFile)
	}
	return nil
}

// readLine is the first line of a file, empty when there is none.
func readLine(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	return strings.TrimSpace(line)
}

// Home is the folder of this user or node.
func (c *cli) Home() node.Home { return node.Home{Dir: c.home} }

// logger writes to standard error: all with --verbose, else warnings.
func (c *cli) logger() *slog.Logger { return c.loggerAt(slog.LevelWarn) }

// chainLogger is for the embedded chain, which warns of what is no trouble here, such
// as a call that a contract refused.
func (c *cli) chainLogger() *slog.Logger { return c.loggerAt(slog.LevelError) }

func (c *cli) loggerAt(level slog.Level) *slog.Logger {
	if c.verbose {
		level = slog.LevelDebug
	} else if c.quiet {
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}))
}

// print shows a result: as JSON, or for people.
func (c *cli) print(v any, people func(io.Writer)) error {
	if !c.json {
		people(c.out)
		return nil
	}
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	// Amounts (uint256.Int) write themselves as decimal strings only where they can be
	// addressed.
	p := reflect.New(reflect.TypeOf(v))
	p.Elem().Set(reflect.ValueOf(v))
	return enc.Encode(p.Interface())
}

// printLine is print with the JSON on one line, at the end of a long run.
func (c *cli) printLine(v any, people func(io.Writer)) error {
	if !c.json {
		people(c.out)
		return nil
	}
	return json.NewEncoder(c.out).Encode(v)
}

// say tells the user how it goes, on standard error.
func (c *cli) say(format string, args ...any) { fmt.Fprintf(c.err, format+"\n", args...) }

func newTable(w io.Writer, header ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.Style().Options.SeparateColumns = false
	t.Style().Options.DrawBorder = false
	t.AppendHeader(table.Row(header))
	return t
}

// coordinator is a client of the coordinator's API.
func (c *cli) coordinator() (*client.Client, error) { return client.New(c.api, c.apiKey) }

// wallet opens this home's keys.
func (c *cli) wallet() (*node.Wallet, error) { return c.Home().Wallet(c.password, false) }

// signer is who signs: the key of --as in the wallet, or at --signer.
func (c *cli) signer() (keystore.Signer, error) {
	if c.remote != "" {
		return c.external()
	}
	if c.account == "" {
		return nil, protocol.Errorf(protocol.KindInvalid, "as", "no account is named: pass --as NAME; 'openledger wallet list' shows your accounts")
	}
	w, err := c.wallet()
	if err != nil {
		return nil, err
	}
	return w.Key(c.account)
}

// network connects to the chain that the coordinator is on.
func (c *cli) network(ctx context.Context) (*client.Client, api.NetworkInfo, *chain.Client, error) {
	cl, err := c.coordinator()
	if err != nil {
		return nil, api.NetworkInfo{}, nil, err
	}
	info, err := cl.Network(ctx)
	if err != nil {
		return nil, info, nil, err
	}
	ch, err := chain.Dial(ctx, chain.Config{RPC: info.RPC, Addresses: addressesOf(info), Logger: c.logger()})
	return cl, info, ch, err
}

// addressesOf reads where the contracts are.
func addressesOf(i api.NetworkInfo) chain.Addresses {
	at := i.Contracts
	return chain.Addresses{ChainID: i.ChainID, Block: at.FromBlock, Staking: at.Staking, Escrow: at.Escrow, Delegates: at.Delegates, Datanets: at.Datanets,
		Models: at.Models, Settlement: at.Settlement, Validators: at.Validators, Disputes: at.Disputes, Agents: at.Agents, Contributors: at.Contributors,
		Treasury: at.Treasury, Fees: at.Fees, Epochs: at.Epochs,
		GOPEN: at.GOPEN, Timelock: at.Timelock, Governor: at.Governor}
}
