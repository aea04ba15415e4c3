package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/protocol"
)

// explainArguments has every verb say where its arguments are explained when there are too
// many of them or too few, and every group name a verb that it does not have: the library
// would show the group's help, as if all were well.
func explainArguments(cmd *cobra.Command) {
	switch count := cmd.Args; {
	case cmd.HasSubCommands() && cmd.HasParent() && !cmd.Runnable():
		cmd.Args = oneOfItsVerbs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	case count != nil:
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := count(cmd, args); err != nil {
				return protocol.Errorf(protocol.KindInvalid, "arguments", "%w: it is '%s', and '%s --help' has examples", err, cmd.UseLine(), cmd.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		explainArguments(sub)
	}
}

// oneOfItsVerbs shows a group's help when it stands alone. Called with arguments it is
// called with a verb that it lacks, since the library has taken those that it has.
func oneOfItsVerbs(group *cobra.Command, args []string) error {
	if len(args) == 0 || args[0] == "help" {
		return nil
	}
	hint := ":"
	group.SuggestionsMinimumDistance = 2 // edits, as the library takes for the root
	if near := group.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return protocol.Errorf(protocol.KindInvalid, "verb", "%q is none of '%s'%s '%s --help' lists them", args[0], group.CommandPath(), hint, group.CommandPath())
}
