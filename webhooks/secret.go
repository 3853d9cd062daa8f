package webhooks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// Sealer encrypts what is stored. What was sealed with some associated data
// opens with the same only.
type Sealer interface {
	Seal(plain, associated []byte) ([]byte, error)
	Open(sealed, associated []byte) ([]byte, error)
}

// associated binds a sealed secret to its endpoint and version, so that one
// cannot be passed off as another's.
func associated(endpointID string, version int) []byte {
	return fmt.Appendf(nil, "%s#%d", endpoint.Decider.Stream(endpointID), version)
}

func seal(s Sealer, secret signing.Secret, endpointID string, version int) ([]byte, error) {
	sealed, err := s.Seal(secret.Key(), associated(endpointID, version))
	if err != nil {
		return nil, fmt.Errorf("seal secret of endpoint %s: %w", endpointID, err)
	}
	return sealed, nil
}

// signer signs with all secrets that are live, the newest first.
type signer []signingSecret

type signingSecret struct {
	signing.Secret
	notAfter time.Time
}

// openAll opens what an endpoint signs with.
func openAll(s Sealer, endpointID string, secrets []endpoint.Secret) (signer, error) {
	var all signer
	for _, sealed := range slices.Backward(secrets) {
		secret, err := open(s, sealed.Sealed, endpointID, sealed.Version)
		if err != nil {
			return nil, err
		}
		all = append(all, signingSecret{Secret: secret, notAfter: sealed.NotAfter})
	}
	return all, nil
}

// sign returns the value of the signature header for one attempt: "v1,new
// v1,old".
func (s signer) sign(id string, at time.Time, body []byte) string {
	var signatures []string
	for _, secret := range s {
		if secret.notAfter.IsZero() || at.Before(secret.notAfter) {
			signatures = append(signatures, secret.Sign(id, at, body))
		}
	}
	return strings.Join(signatures, " ")
}

func open(s Sealer, sealed []byte, endpointID string, version int) (signing.Secret, error) {
	key, err := s.Open(sealed, associated(endpointID, version))
	if err != nil {
		return signing.Secret{}, fmt.Errorf("open secret of endpoint %s: %w", endpointID, err)
	}
	return signing.SecretOf(key)
}
