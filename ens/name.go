package ens

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/adraffy/go-ens-normalize/ensip15"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/internal/problem"
)

// MaxName is the greatest length of a name in bytes.
const MaxName = 255

// Containers below an organisation or application, and the roots of what they
// hold.
const (
	labelRoles = "roles"
	labelApps  = "apps"
)

// ErrName marks a name that ENSIP-15 refuses or that has the wrong shape.
var ErrName = problem.New(422, "name", "not a valid name")

// normalizer is built once; its tables take about 0.2 s to unpack.
var normalizer = sync.OnceValue(func() *ensip15.ENSIP15 { return ensip15.Shared() })

// Warm unpacks the tables of the normaliser in the background, so that the
// first name that is not plain ASCII does not wait for them.
func Warm() { go normalizer() }

// Normalize brings a name to its normal form (ENSIP-15). A name of more than
// MaxName bytes or with an empty label is refused.
func Normalize(name string) (string, error) {
	if name == "" {
		return "", ErrName.Wrap(errors.New("it is empty"))
	}
	if len(name) > MaxName {
		return "", ErrName.Wrap(fmt.Errorf("longer than %d bytes", MaxName))
	}
	if plain(name) {
		return name, nil
	}
	out, err := ENSIP15(name)
	if err == nil && len(out) > MaxName {
		return "", ErrName.Wrap(fmt.Errorf("longer than %d bytes", MaxName))
	}
	return out, err
}

// ENSIP15 normalises to the letter of the standard, which knows no greatest
// length and lets the empty name pass. It is for tools; names that are stored
// or looked up go through Normalize.
func ENSIP15(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", ErrName.Wrap(errors.New("not valid UTF-8"))
	}
	out, err := normalizer().Normalize(name)
	if err != nil {
		return "", ErrName.Wrap(err)
	}
	return out, nil
}

// plain reports whether a name is normal at sight: lower-case letters, digits
// and inner hyphens (none at third and fourth place together, which marks
// encoded labels), labels not empty. Every such name is its own normal form.
func plain(name string) bool {
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			c := name[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
			continue
		}
		label := name[start:i]
		if label == "" || len(label) >= 4 && label[2] == '-' && label[3] == '-' {
			return false
		}
		start = i + 1
	}
	return true
}

// Labelhash is the Keccak-256 hash of one normalised label.
func Labelhash(label string) [32]byte {
	return crypto.Keccak256Hash([]byte(label))
}

// Namehash is the node of a normalised name (EIP-137); of the empty name it is
// zero.
func Namehash(name string) [32]byte {
	var node [32]byte
	for name != "" {
		i := strings.LastIndexByte(name, '.')
		label := Labelhash(name[i+1:])
		node = crypto.Keccak256Hash(node[:], label[:])
		name = name[:max(i, 0)]
	}
	return node
}

// Split cuts a name into its first label and its parent; the parent of a
// top-level name is empty.
func Split(name string) (label, parent string) {
	label, parent, _ = strings.Cut(name, ".")
	return label, parent
}

// Under reports whether name is parent itself or lies below it.
func Under(name, parent string) bool {
	return name == parent || strings.HasSuffix(name, "."+parent)
}

// ParseRole takes the full name of a role apart: "aggregator" and
// "market.apps.edge.iam.ewc" for
// aggregator.roles.market.apps.edge.iam.ewc. The name must be normalised.
func ParseRole(name string) (role, namespace string, err error) {
	normal, err := Normalize(name)
	if err != nil {
		return "", "", err
	}
	if normal != name {
		return "", "", ErrName.Wrap(errors.New("not normalised"))
	}
	role, rest := Split(name)
	namespace, ok := strings.CutPrefix(rest, labelRoles+".")
	if !ok || role == "" || namespace == "" || role == labelRoles || role == labelApps {
		return "", "", ErrName.Wrap(errors.New("a role is <role>.roles.<namespace>"))
	}
	return role, namespace, nil
}
