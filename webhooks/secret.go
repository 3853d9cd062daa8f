package webhooks

import (
	"fmt"

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

func open(s Sealer, sealed []byte, endpointID string, version int) (signing.Secret, error) {
	key, err := s.Open(sealed, associated(endpointID, version))
	if err != nil {
		return signing.Secret{}, fmt.Errorf("open secret of endpoint %s: %w", endpointID, err)
	}
	return signing.SecretOf(key)
}
