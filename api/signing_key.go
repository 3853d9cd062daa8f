package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/domain/apikey"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/signingkey"
)

// SigningKeys are the keys that sign webhooks by scheme v1a.
type SigningKeys interface {
	Public(ctx context.Context, tenant string) ([]signingkey.Public, error)
	Ever(ctx context.Context, tenant string) ([]signingkey.Public, error)
	Rotate(ctx context.Context, overlap time.Duration, meta eventstore.Metadata) error
}

type listSigningKeysRequest struct {
	Retired bool   `query:"retired" doc:"Also those that sign no more: they verify statements that were made before not_after. Accept no message by them."`
	Tenant  string `query:"tenant" doc:"Those of this partner, the tenant_id of a statement; missing are the caller's own. Anybody else's are for an admin's key." maxLength:"64"`
}

type signingKeyListAnswer struct {
	Body struct {
		Keys []signingKeyBody `json:"keys" nullable:"false"`
	} `nameHint:"SigningKeyList"`
}

type signingKeyBody struct {
	ID        string     `json:"id" example:"1"`
	Algorithm string     `json:"algorithm" enum:"ed25519" doc:"Of signatures that begin with v1a."`
	PublicKey string     `json:"public_key" doc:"whpk_ and the base64 of 32 bytes." example:"whpk_zmKlUBOwQfGEKURHVw2JgJLTNaAzgJd100aK4I9Vsnc="`
	Since     time.Time  `json:"since"`
	NotAfter  *time.Time `json:"not_after,omitempty" doc:"Until when it signs beside the one that followed it; missing for the newest."`
}

type rotateSigningKeyRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional: the same key and body again makes no further key."`
	Body           rotateSigningKeyBody
}

type rotateSigningKeyBody struct {
	OverlapSeconds *int64 `json:"overlap_seconds,omitempty" doc:"How long the key before signs as well, up to 90 days; a week if it is missing." example:"604800"`
}

func (s *server) signingKeyRoutes() {
	register(s, route{
		id: "listSigningKeys", method: http.MethodGet, path: "/v1/keys", tag: "webhooks", scopes: []apikey.Scope{apikey.WebhooksRead, apikey.WebhooksWrite},
		status: http.StatusOK, summary: "Show the public keys of webhook signatures",
		about:   "They verify signatures that begin with v1a, for endpoints that chose this scheme. They are your own: no other partner's messages are signed with them. Accept a message that one of them verifies.",
		refuses: []string{apikey.ErrPartnerNotFound.Code},
	}, s.listSigningKeys)
	register(s, route{
		id: "rotateSigningKey", method: http.MethodPost, path: "/v1/keys/rotate", tag: "webhooks", scopes: []apikey.Scope{apikey.Admin},
		status: http.StatusOK, summary: "Rotate the key of webhook signatures", about: "Every partner gets another key. The one before signs beside it for a while, so that receivers can fetch the new one.",
		refuses: []string{signingkey.ErrOverlap.Code, kindKeyInvalid, domain.ErrKeyReused.Code}, example: map[string]any{"overlap_seconds": 604800},
	}, s.rotateSigningKey)
}

func (s *server) listSigningKeys(ctx context.Context, in *listSigningKeysRequest) (*signingKeyListAnswer, error) {
	keys := s.api.SigningKeys.Public
	if in.Retired {
		keys = s.api.SigningKeys.Ever
	}
	whose, err := s.whoseKeys(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	list, err := keys(ctx, whose)
	if err != nil {
		return nil, err
	}
	answer := &signingKeyListAnswer{}
	answer.Body.Keys = each(list, func(k signingkey.Public) signingKeyBody {
		return signingKeyBody{ID: k.ID, Algorithm: "ed25519", PublicKey: k.PublicKey, Since: k.Since, NotAfter: timeOrNil(k.NotAfter)}
	})
	return answer, nil
}

// whoseKeys is the tenant whose keys are shown: an admin, who may have a
// partner's statement made, verifies it, too.
func (s *server) whoseKeys(ctx context.Context, tenant string) (string, error) {
	own := tenantOf(ctx)
	if tenant == "" || tenant == own {
		return own, nil
	}
	if tenancy(ctx) != nil {
		return "", s.refuse(kindForbidden, "keys of another partner need the scope admin").with("scopes", []apikey.Scope{apikey.Admin})
	}
	partners, err := s.api.Keys.Partners(ctx)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(partners, func(p apikey.Partner) bool { return p.ID == tenant }) {
		return "", apikey.ErrPartnerNotFound.With("partner_id", tenant)
	}
	return tenant, nil
}

func (s *server) rotateSigningKey(ctx context.Context, in *rotateSigningKeyRequest) (*signingKeyListAnswer, error) {
	meta, err := s.command(ctx, "signing-key", in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	overlap := signingkey.DefaultOverlap
	if in.Body.OverlapSeconds != nil {
		// More seconds than a duration holds are too many all the same.
		overlap = time.Duration(min(max(*in.Body.OverlapSeconds, -1), int64(signingkey.LongestOverlap/time.Second)+1)) * time.Second
	}
	if err := s.api.SigningKeys.Rotate(ctx, overlap, meta); err != nil {
		return nil, err
	}
	return s.listSigningKeys(ctx, &listSigningKeysRequest{})
}
