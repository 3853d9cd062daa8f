package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/waybill-dev/waybill/access"
	"github.com/waybill-dev/waybill/domain/apikey"
)

// bearer is the name of the security scheme in the description.
const bearer = "bearer"

// authenticate lets through whom the operation's scopes let through. An
// operation without scopes is for everybody.
func (s *server) authenticate(ctx huma.Context, next func(huma.Context)) {
	scopes := scopesOf(ctx.Operation())
	if len(scopes) == 0 {
		next(ctx)
		return
	}
	_, w := humago.Unwrap(ctx)
	problem := s.identify(ctx, scopes)
	if problem != nil {
		s.write(w, problem)
		return
	}
	next(ctx)
}

// identify notes the caller, or says why the caller may not pass.
func (s *server) identify(ctx huma.Context, scopes []apikey.Scope) *Problem {
	challenge := http.Header{"Www-Authenticate": {`Bearer realm="waybill"`}}
	key, ok := bearerToken(ctx.Header("Authorization"))
	if !ok {
		problem := s.problem(ctx.Context(), kindUnauthorized, "send Authorization: Bearer and an API key")
		problem.Header = challenge
		return problem
	}
	credential, err := s.api.Keys.Authenticate(ctx.Context(), key)
	switch {
	case errors.Is(err, access.ErrUnknownKey):
		problem := s.problem(ctx.Context(), kindUnauthorized, "the API key is not valid")
		problem.Header = http.Header{"Www-Authenticate": {`Bearer realm="waybill", error="invalid_token"`}}
		return problem
	case err != nil:
		return s.explain(ctx.Context(), err)
	case !credential.May(scopes...):
		problem := s.problem(ctx.Context(), kindForbidden, "the API key has none of the scopes that would do")
		problem.Header = http.Header{"Www-Authenticate": {`Bearer realm="waybill", error="insufficient_scope"`}}
		return problem.with("scopes", scopes)
	}
	callOf(ctx.Context()).credential = credential
	return nil
}

func bearerToken(header string) (string, bool) {
	scheme, token, ok := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, bearer) && token != ""
}

func scopesOf(op *huma.Operation) []apikey.Scope {
	var scopes []apikey.Scope
	for _, requirement := range op.Security {
		for _, scope := range requirement[bearer] {
			scopes = append(scopes, apikey.Scope(scope))
		}
	}
	return scopes
}
