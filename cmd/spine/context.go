package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/digital-spine/spine/internal/config"
	"github.com/digital-spine/spine/internal/problem"
)

type contextCmd struct {
	Add  contextAddCmd  `cmd:"" help:"Keep a gateway's address and API key under a name."`
	Use  contextUseCmd  `cmd:"" help:"Choose the context that is used where none is named."`
	List contextListCmd `cmd:"" help:"List the contexts, without their keys."`
	Rm   contextRmCmd   `cmd:"" help:"Forget a context."`
}

// Help is shown by spine context --help.
func (contextCmd) Help() string {
	return `A context is a gateway's address and an API key under a name, kept in
contexts.json of your configuration folder, which only you may read. send,
receive and status use the one in use, or the one that --context or
SPINE_CONTEXT names.

Example:

    spine context add work --endpoints spine.json --as aggregator
    spine receive --channel hello
`
}

// contexts is the file of named gateways, in the user's configuration folder.
// It holds keys: only its owner may read it.
type contexts struct {
	Current  string             `json:"current,omitempty"`
	Contexts map[string]*target `json:"contexts"`
}

func contextsFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", problem.New(500, "contexts", "the user's configuration folder is not known").Wrap(err)
	}
	return filepath.Join(dir, "spine", "contexts.json"), nil
}

// loadContexts reads the file; none is an empty one.
func loadContexts() (*contexts, error) {
	file, err := contextsFile()
	if err != nil {
		return nil, err
	}
	c := &contexts{Contexts: make(map[string]*target)}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, problem.New(500, "contexts", "others may read "+file+", which holds API keys").WithHint("chmod 600 " + file)
	}
	b, err := (&app{}).read(file, maxEndpoints)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, c); err != nil || c.Contexts == nil {
		return nil, problem.New(500, "contexts", file+" is damaged").WithHint("remove it and add the contexts again")
	}
	return c, nil
}

func (c *contexts) save() error {
	file, err := contextsFile()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return config.WriteFile(file, append(b, '\n'), 0o600)
}

// get returns a context; "" is the one in use.
func (c *contexts) get(name string) (*target, error) {
	if name == "" {
		name = c.Current
	}
	if name == "" {
		return nil, errNoGateway
	}
	t := c.Contexts[name]
	if t == nil {
		e := problem.New(404, "no_context", fmt.Sprintf("there is no context %q", name))
		if len(c.Contexts) == 0 {
			return nil, e.WithHint("none is kept yet: spine context add --help")
		}
		return nil, e.WithHint("there are: " + strings.Join(slices.Sorted(maps.Keys(c.Contexts)), ", "))
	}
	return newTarget(t.URL, t.APIKey)
}

// contextTarget returns the gateway of a context; "" is the one in use.
func contextTarget(name string) (*target, error) {
	c, err := loadContexts()
	if err != nil {
		return nil, err
	}
	return c.get(name)
}

type contextAddCmd struct {
	Name      string `arg:"" help:"Name of the context: letters, digits, dots, dashes."`
	URL       string `name:"url" help:"Base URL of the gateway." placeholder:"URL" xor:"from"`
	KeyFile   string `help:"File with the API key, - for standard input; by default it is taken from $$SPINE_API_KEY." placeholder:"FILE"`
	Endpoints string `help:"File that spine demo --endpoints wrote, in place of URL and key." placeholder:"FILE" xor:"from"`
	As        string `help:"Which gateway of the endpoints file." placeholder:"NAME"`
}

// Help is shown by spine context add --help.
func (contextAddCmd) Help() string {
	return `Keeps a gateway in contexts.json of your configuration folder, readable by you
alone. The first context is used at once; an existing one of the name is replaced.

Example:

    spine context add work --url https://gateway.example --key-file api.key
    spine send --context work --channel hello '{"n":1}'`
}

var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Run adds a context.
func (c *contextAddCmd) Run(a *app) error {
	if !contextName.MatchString(c.Name) {
		return problem.New(400, "arguments", "a context's name is 1 to 64 letters, digits, dots and dashes")
	}
	t, err := c.target(a)
	if err != nil {
		return err
	}
	list, err := loadContexts()
	if err != nil {
		return err
	}
	list.Contexts[c.Name] = t
	if list.Current == "" {
		list.Current = c.Name
	}
	if err := list.save(); err != nil {
		return err
	}
	used := ""
	if list.Current == c.Name {
		used = ", in use"
	}
	return a.print(map[string]any{"name": c.Name, "url": t.URL, "current": used != ""}, "context %s: %s%s\n", c.Name, t.URL, used)
}

func (c *contextAddCmd) target(a *app) (*target, error) {
	switch {
	case c.Endpoints != "":
		return endpointsTarget(c.Endpoints, c.As)
	case c.URL == "":
		return nil, problem.New(400, "arguments", "neither --url nor --endpoints is given").WithHint("see spine context add --help")
	case c.KeyFile == "":
		return newTarget(c.URL, os.Getenv("SPINE_API_KEY"))
	}
	key, err := a.read(c.KeyFile, 4<<10)
	if err != nil {
		return nil, err
	}
	return newTarget(c.URL, string(key))
}

type contextUseCmd struct {
	Name string `arg:"" help:"Name of the context."`
}

// Run chooses the context in use.
func (c *contextUseCmd) Run(a *app) error {
	list, err := loadContexts()
	if err != nil {
		return err
	}
	t, err := list.get(c.Name)
	if err != nil {
		return err
	}
	list.Current = c.Name
	if err := list.save(); err != nil {
		return err
	}
	return a.print(map[string]any{"name": c.Name, "url": t.URL, "current": true}, "context %s: %s, in use\n", c.Name, t.URL)
}

type contextListCmd struct{}

// Run lists the contexts, the one in use marked.
func (contextListCmd) Run(a *app) error {
	list, err := loadContexts()
	if err != nil {
		return err
	}
	if len(list.Contexts) == 0 {
		fmt.Fprintln(a.stderr, "no context is kept yet: spine context add --help")
	}
	for _, name := range slices.Sorted(maps.Keys(list.Contexts)) {
		t, mark := list.Contexts[name], " "
		if name == list.Current {
			mark = "*"
		}
		v := map[string]any{"name": name, "url": t.URL, "current": name == list.Current}
		if err := a.print(v, "%s %-16s %s\n", mark, name, t.URL); err != nil {
			return err
		}
	}
	return nil
}

type contextRmCmd struct {
	Name string `arg:"" help:"Name of the context."`
}

// Run forgets a context; its key stays valid at the gateway.
func (c *contextRmCmd) Run(a *app) error {
	list, err := loadContexts()
	if err != nil {
		return err
	}
	if list.Contexts[c.Name] == nil {
		_, err := list.get(c.Name)
		return err
	}
	delete(list.Contexts, c.Name)
	if list.Current == c.Name {
		list.Current = ""
	}
	if err := list.save(); err != nil {
		return err
	}
	return a.print(map[string]any{"name": c.Name, "removed": true}, "context %s forgotten; its key is still valid at the gateway\n", c.Name)
}
