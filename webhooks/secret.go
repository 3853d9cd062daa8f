package webhooks

import (
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/webhooks/endpoint"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// Sealer encrypts what is stored. What was sealed with some associated data
// opens with the same only.
type Sealer interface {
	Seal(plain, associated []byte) ([]byte, error)
	Open(sealed, associated []byte) ([]byte, error)
}

// bound is what everything sealed for an endpoint is bound to, so that one
// thing cannot be passed off as another: not a secret as that of another
// partner, endpoint or version, nor a password as a secret.
func bound(tenantID, endpointID, version string) []byte {
	return []byte(tenantID + "|" + endpointID + "|" + version)
}

func secretBound(tenantID, endpointID string, version int) []byte {
	return bound(tenantID, endpointID, fmt.Sprint(version))
}

// boundBefore is what the first secrets were bound to, before endpoints
// belonged to anybody.
func boundBefore(endpointID string, version int) []byte {
	return fmt.Appendf(nil, "%s#%d", endpoint.Decider.Stream(endpointID), version)
}

func seal(s Sealer, secret signing.Secret, tenantID, endpointID string, version int) ([]byte, error) {
	sealed, err := s.Seal(secret.Key(), secretBound(tenantID, endpointID, version))
	if err != nil {
		return nil, fmt.Errorf("seal secret of endpoint %s: %w", endpointID, err)
	}
	return sealed, nil
}

func open(s Sealer, sealed []byte, tenantID, endpointID string, version int) (signing.Secret, error) {
	key, err := s.Open(sealed, secretBound(tenantID, endpointID, version))
	if err != nil && tenantID == "" {
		key, err = s.Open(sealed, boundBefore(endpointID, version))
	}
	if err != nil {
		return signing.Secret{}, fmt.Errorf("open secret of endpoint %s: %w", endpointID, err)
	}
	return signing.SecretOf(key)
}

// openAll opens what an endpoint signs with, the newest first.
func openAll(s Sealer, tenantID, endpointID string, secrets []endpoint.Secret) ([]signing.LiveSecret, error) {
	var all []signing.LiveSecret
	for _, sealed := range slices.Backward(secrets) {
		secret, err := open(s, sealed.Sealed, tenantID, endpointID, sealed.Version)
		if err != nil {
			return nil, err
		}
		all = append(all, signing.LiveSecret{Secret: secret, Until: sealed.NotAfter})
	}
	return all, nil
}
