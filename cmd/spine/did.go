package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jonboulle/clockwork"

	"github.com/digital-spine/spine/did"
	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/internal/problem"
)

type didCmd struct {
	Resolve didResolveCmd `cmd:"" help:"Print the document of a DID as the chain has it."`
}

type didResolveCmd struct {
	chainFlags
	DID string `arg:"" name:"did" help:"The DID, in any spelling, such as did:ethr:0x539:0x…"`
}

// Run resolves a DID from the chain, trusting nobody but the RPC endpoint.
func (c *didResolveCmd) Run(a *app) error {
	id, err := ethr.Normalize(c.DID)
	if err != nil {
		return problem.New(400, "did", "not a did:ethr").Wrap(err).
			WithHint("did:ethr:<network>:<address>, where the network is ewc, volta or 0x and the chain id in hexadecimal")
	}
	v, err := c.open(a.ctx)
	if err != nil {
		return err
	}
	defer v.client.Close()
	r := ethr.NewResolver(v.client, v.contracts.DIDRegistry, v.chainID, clockwork.NewRealClock(), ethr.Options{})
	doc, err := r.Document(a.ctx, id)
	if err != nil {
		return err
	}
	return a.print(doc, "%s", didText(doc))
}

// didText is a document for people.
func didText(d *did.Document) string {
	var b strings.Builder
	fmt.Fprintln(&b, d.ID)
	if d.Controller != "" {
		fmt.Fprintln(&b, "  controlled by", d.Controller)
	}
	if len(d.VerificationMethod) == 0 {
		fmt.Fprintln(&b, "  given up: nobody may sign for it")
	}
	may := func(id string, list []string, word string) string {
		for _, each := range list {
			if each == id {
				return " " + word
			}
		}
		return ""
	}
	for _, m := range d.VerificationMethod {
		key := m.BlockchainAccountID + m.PublicKeyHex + m.PublicKeyBase64 + m.PublicKeyBase58 + m.PublicKeyPem
		fmt.Fprintf(&b, "  key      #%s  %s  %q  may:%s%s%s\n", fragment(m.ID), m.Type, key,
			may(m.ID, d.AssertionMethod, "sign"), may(m.ID, d.Authentication, "log-in"), may(m.ID, d.KeyAgreement, "decrypt"))
	}
	for _, s := range d.Service {
		// Quoted: what a stranger wrote must not steer the terminal.
		endpoint, err := json.Marshal(s.ServiceEndpoint)
		if err != nil {
			endpoint = []byte("?")
		}
		fmt.Fprintf(&b, "  service  #%s  %q  %s\n", fragment(s.ID), s.Type, endpoint)
	}
	return b.String()
}

func fragment(id string) string {
	_, f, _ := strings.Cut(id, "#")
	return f
}
