package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/internal/problem"
)

// gatewayFlags say which gateway a command talks to. The first of these that is
// given counts: --context, --endpoints, SPINE_URL with SPINE_API_KEY,
// SPINE_CONTEXT, the context in use. An API key is never an argument, where
// other users of the machine would see it.
type gatewayFlags struct {
	Context   string `help:"A named context; see spine context. By default that of $$SPINE_CONTEXT, else the one in use." placeholder:"NAME" xor:"gateway"`
	Endpoints string `help:"File that spine demo --endpoints wrote; names the gateways and their keys." placeholder:"FILE" xor:"gateway"`
	As        string `help:"Which gateway of the endpoints file, by name or DID." placeholder:"NAME"`
}

// gatewayHelp is the end of the help of every command with gatewayFlags.
const gatewayHelp = `
Which gateway: --context NAME, or --endpoints FILE --as NAME, or the variables
SPINE_URL and SPINE_API_KEY, or SPINE_CONTEXT, or the context in use.
`

// errNoGateway says that nothing tells the command whom to ask.
var errNoGateway = problem.New(400, "no_gateway", "it is not known which gateway to talk to").
	WithHint("give --endpoints FILE --as NAME (the file is written by spine demo --endpoints FILE), set SPINE_URL and SPINE_API_KEY, or keep a context: spine context add --help")

// target is a gateway to talk to.
type target struct {
	URL    string            `json:"url"`
	APIKey string            `json:"apiKey"`
	dids   map[string]string // of the gateways that the endpoints file names
}

// client returns the SDK's client of the target.
func (t *target) client() *client.Client { return client.New(t.URL, t.APIKey) }

// did returns the DID for a recipient as given: a DID, or the name of a gateway
// of the endpoints file.
func (t *target) did(who string) (string, error) {
	if strings.HasPrefix(who, "did:") {
		return who, nil
	}
	if did, ok := t.dids[who]; ok {
		return did, nil
	}
	return "", problem.New(400, "recipient", fmt.Sprintf("%q is not a DID", who)).
		WithHint("recipients are DIDs; names are known with --endpoints only, those of the gateways in the file")
}

// target finds the gateway to talk to.
func (f *gatewayFlags) target() (*target, error) {
	if f.As != "" && f.Endpoints == "" {
		return nil, problem.New(400, "arguments", "--as belongs to --endpoints").WithHint("give --endpoints FILE as well")
	}
	switch env, key := os.Getenv("SPINE_URL"), os.Getenv("SPINE_API_KEY"); {
	case f.Context != "":
		return contextTarget(f.Context)
	case f.Endpoints != "":
		return endpointsTarget(f.Endpoints, f.As)
	case env != "" && key == "":
		return nil, problem.New(400, "no_api_key", "SPINE_URL is set but SPINE_API_KEY is not").
			WithHint("set SPINE_API_KEY to a key of that gateway; a gateway's first key is in the file api.key of its data folder")
	case env != "":
		return newTarget(env, key)
	}
	return contextTarget(os.Getenv("SPINE_CONTEXT"))
}

// newTarget checks that the key would not travel in the open.
func newTarget(base, key string) (*target, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, problem.New(400, "url", "the gateway's address is not a base URL").WithHint("such as http://127.0.0.1:8080 or https://gateway.example")
	}
	if host := u.Hostname(); u.Scheme == "http" && host != "localhost" {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
			return nil, problem.New(400, "url", "beyond this machine the API key travels over TLS only").WithHint("use an https:// URL")
		}
	}
	if key = strings.TrimSpace(key); key == "" {
		return nil, problem.New(400, "no_api_key", "the gateway's API key is missing")
	}
	return &target{URL: strings.TrimSuffix(base, "/"), APIKey: key}, nil
}

// maxEndpoints bounds the endpoints file, in bytes.
const maxEndpoints = 1 << 20

// notEndpoints refuses a file of --endpoints.
func notEndpoints(file string) error {
	return problem.New(400, "endpoints", fmt.Sprintf("%s is not what spine demo --endpoints writes", file))
}

// endpointsTarget takes one gateway of the file that spine demo writes.
func endpointsTarget(file, as string) (*target, error) {
	b, err := (&app{}).read(file, maxEndpoints)
	if err != nil {
		return nil, err
	}
	var list struct {
		Gateways []endpoint `json:"gateways"`
	}
	if err := json.Unmarshal(b, &list); err != nil || len(list.Gateways) == 0 {
		return nil, notEndpoints(file)
	}
	dids := make(map[string]string, len(list.Gateways))
	names := make([]string, 0, len(list.Gateways))
	var found *endpoint
	for i, g := range list.Gateways {
		dids[g.Name] = g.DID
		names = append(names, g.Name)
		if as != "" && (g.Name == as || g.DID == as) {
			found = &list.Gateways[i]
		}
	}
	if as == "" && len(list.Gateways) == 1 {
		found = &list.Gateways[0]
	}
	if found == nil {
		message := "the endpoints file names several gateways"
		if as != "" {
			message = fmt.Sprintf("the endpoints file names no gateway %q", as)
		}
		return nil, problem.New(400, "no_gateway", message).WithHint("say which with --as: " + strings.Join(names, ", "))
	}
	t, err := newTarget(found.URL, found.APIKey)
	if err == nil {
		t.dids = dids
	}
	return t, err
}
