package envelope

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/evm/eip712"
)

// proofForm is the only form of proof of Part A: an EIP-712 signature.
const proofForm = 1

// proof is a DID's signature over a body: [1, r || s || v]. The typed message
// is rebuilt from the fields of the body that it stands beside, so the two
// cannot differ.
type proof []byte

func appendProof(dst []byte, p proof) []byte {
	return appendBytes(append(dst, 0x82, proofForm), p)
}

func (r *reader) proof() proof {
	r.exact(majorArray, 2)
	r.key(proofForm)
	sig := r.bytes()
	if len(sig) != eip712.SignatureSize {
		r.bad = true
	}
	return sig
}

// newProof asks the DID's key for its signature over typed data.
func newProof(ctx context.Context, signer DIDSigner, digest [32]byte) (proof, error) {
	sig, err := signer.SignDigest(ctx, digest)
	if err != nil {
		return nil, err
	}
	if _, err := eip712.Recover(digest, sig); err != nil {
		return nil, BadSignature.Errorf("signer of the DID: %w", err)
	}
	return sig, nil
}

// signer recovers the address that made the proof; a proof of bad form or for
// a DID of another chain is refused under this code.
func (p proof) signer(domain eip712.Domain, did string, digest [32]byte, code Code) (common.Address, error) {
	if chain, ok := chainOf(did); !ok || chain != domain.ChainID {
		return common.Address{}, code.Errorf("%s is not of chain %d", did, domain.ChainID)
	}
	a, err := eip712.Recover(digest, p)
	if err != nil {
		return common.Address{}, code.Errorf("proof: %w", err)
	}
	return a, nil
}
