package agent

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
)

// ToolName is what a tool must be called for a model to call it: what OpenAI's API takes as
// a function's name. The Model Context Protocol allows more.
var ToolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// servers checks the tool servers. A tool stands once among them and the agent's functions.
func (m *Manifest) servers() error {
	if len(m.Servers) > maxServers {
		return invalid("servers", "are %d, the limit is %d", len(m.Servers), maxServers)
	}
	taken := map[string]string{}
	for _, t := range m.Tools {
		taken[t.Name] = "tools"
	}
	for i, s := range m.Servers {
		field := fmt.Sprintf("servers[%d]", i)
		if err := checkURL(field+".url", s.URL); err != nil {
			return err
		}
		if slices.ContainsFunc(m.Servers[:i], func(o Server) bool { return o.URL == s.URL }) {
			return invalid(field+".url", "%s is there twice: name all of its tools at one place", clip(s.URL))
		}
		if len(s.Tools) > maxTools {
			return invalid(field+".tools", "are %d, the limit is %d", len(s.Tools), maxTools)
		}
		for _, name := range s.Tools {
			if !ToolName.MatchString(name) {
				return invalid(field+".tools", "%q is not 1 to 64 letters, digits, underscores and hyphens", clip(name))
			}
			if at := taken[name]; at != "" {
				return invalid(field+".tools", "%q is in %s already: a model calls a tool by its name alone", name, at)
			}
			taken[name] = field + ".tools"
		}
	}
	return nil
}

func checkURL(field, s string) error {
	if err := text(field, s, maxURL); err != nil {
		return err
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return invalid(field, "%q is no URL", clip(s))
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return invalid(field, "%q is not https://HOST/PATH, where the server speaks the Model Context Protocol (http:// is for a coordinator's own machine)", clip(s))
	case u.User != nil:
		return invalid(field, "has a user or a password in it: a manifest can be read by everybody")
	case u.Fragment != "":
		return invalid(field, "%q has a fragment, which is not sent: leave it out", clip(s))
	}
	return nil
}
