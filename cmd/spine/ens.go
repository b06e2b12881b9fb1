package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/internal/problem"
)

type ensCmd struct {
	Normalize ensNormalizeCmd `cmd:"" help:"Print the normal form of a name (ENSIP-15)."`
	Hash      ensHashCmd      `cmd:"" help:"Print the namehash of a name (EIP-137)."`
	Owner     ensOwnerCmd     `cmd:"" help:"Print who owns a name."`
	Role      ensRoleCmd      `cmd:"" help:"Print the definition of a role."`
	List      ensListCmd      `cmd:"" help:"List the names below one."`
}

type ensNormalizeCmd struct {
	Name string `arg:"" help:"The name, or - to read names from standard input, one a line."`
}

// normalized is one result with --json.
type normalized struct {
	Name       string  `json:"name"`
	Normalized *string `json:"normalized,omitempty"`
	Code       string  `json:"code,omitempty"`
	Error      string  `json:"error,omitempty"`
}

// Run normalises one name or each line of standard input. From there, every
// line gives a line, an empty one where the name is not valid, and the exit
// status is 1 when any was not.
func (c *ensNormalizeCmd) Run(a *app) error {
	if c.Name != "-" {
		out, err := ens.ENSIP15(c.Name)
		if err != nil {
			return err
		}
		return a.print(normalized{Name: c.Name, Normalized: &out}, "%s\n", out)
	}
	in, out := bufio.NewReader(a.stdin), bufio.NewWriter(a.stdout)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	invalid := false
	for {
		name, readErr := in.ReadString('\n')
		if readErr != nil && (name == "" || !errors.Is(readErr, io.EOF)) {
			break
		}
		name = strings.TrimSuffix(strings.TrimSuffix(name, "\n"), "\r")
		result := normalized{Name: name}
		text, err := ens.ENSIP15(name)
		if err != nil {
			invalid = true
			result.Code, result.Error = problem.CodeOf(err), err.Error()
			if !a.json {
				fmt.Fprintf(a.stderr, "spine: %q: %v\n", name, err)
			}
		} else {
			result.Normalized = &text
		}
		if a.json {
			err = lines.Encode(result)
		} else {
			_, err = fmt.Fprintln(out, text)
		}
		if err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if invalid {
		return &exitError{1}
	}
	return nil
}

type ensHashCmd struct {
	Name string `arg:"" help:"The name; it is normalised first."`
}

// Run prints a namehash.
func (c *ensHashCmd) Run(a *app) error {
	name, err := ens.ENSIP15(c.Name)
	if err != nil {
		return err
	}
	hash := ens.Namehash(name)
	text := "0x" + hex.EncodeToString(hash[:])
	return a.print(map[string]string{"name": name, "hash": text}, "%s\n", text)
}

type ensOwnerCmd struct {
	chainFlags
	Name string `arg:"" help:"The name, such as edge.iam.ewc."`
}

// Run prints the owner of a name, as an address and as a DID.
func (c *ensOwnerCmd) Run(a *app) error {
	v, err := c.open(a.ctx)
	if err != nil {
		return err
	}
	defer v.client.Close()
	owner, err := ens.NewRegistry(v.client, v.contracts).Owner(a.ctx, c.Name)
	if err != nil {
		return err
	}
	id := ethr.ID{ChainID: v.chainID, Address: owner}.String()
	return a.print(map[string]string{"name": c.Name, "owner": owner.Hex(), "did": id}, "%s\n", id)
}

type ensRoleCmd struct {
	chainFlags
	Name string `arg:"" help:"The full name of the role, such as aggregator.roles.market.apps.edge.iam.ewc."`
}

// Run prints a role definition as merged from the chain.
func (c *ensRoleCmd) Run(a *app) error {
	v, err := c.open(a.ctx)
	if err != nil {
		return err
	}
	defer v.client.Close()
	role, err := ens.NewRegistry(v.client, v.contracts).Role(a.ctx, c.Name)
	if err != nil {
		return err
	}
	did := func(a common.Address) string { return ethr.ID{ChainID: v.chainID, Address: a}.String() }
	who := func(list []common.Address, role string) string {
		if role != "" {
			return "holders of " + role
		}
		if len(list) == 0 {
			return "nobody"
		}
		names := make([]string, len(list))
		for i, a := range list {
			names[i] = did(a)
		}
		return strings.Join(names, ", ")
	}
	needs := "nothing"
	if len(role.Prerequisites) > 0 {
		word := "any of "
		if role.AllPrerequisites {
			word = "all of "
		}
		needs = word + strings.Join(role.Prerequisites, ", ")
	}
	return a.print(role, "%s\n  version     %d\n  owner       %s\n  issued by   %s\n  revoked by  %s\n  needs       %s\n  metadata    %s\n",
		role.Name, role.Version, did(role.Owner), who(role.IssuerDIDs, role.IssuerRole),
		who(role.RevokerDIDs, role.RevokerRole), needs, role.Metadata)
}

type ensListCmd struct {
	chainFlags
	Under string `arg:"" optional:"" default:"iam.ewc" help:"The name to list below."`
}

// Run lists names from the chain's announcements.
func (c *ensListCmd) Run(a *app) error {
	v, err := c.open(a.ctx)
	if err != nil {
		return err
	}
	defer v.client.Close()
	names, err := ens.NewRegistry(v.client, v.contracts).List(a.ctx, c.Under)
	if err != nil {
		return err
	}
	text := strings.Join(names, "\n")
	if text != "" {
		text += "\n"
	}
	return a.print(map[string][]string{"names": names}, "%s", text)
}
