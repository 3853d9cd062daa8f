package credentials

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// ErrToken says that the token server answered, and gave no token.
var ErrToken = errors.New("the token server gave no token")

// early is how long before its end a token is not used any more.
const early = 30 * time.Second

// tokens keeps one token while it is good.
type tokens struct {
	config clientcredentials.Config
	client *http.Client
	now    func() time.Time

	turn  chan struct{} // held to read and change what follows: waiting for it can be given up
	token *oauth2.Token
	renew time.Time // zero: as long as it is accepted
}

func newTokens(o OAuth2, client *http.Client, now func() time.Time) *tokens {
	t := &tokens{
		config: clientcredentials.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret, TokenURL: o.TokenURL, Scopes: o.Scopes},
		client: client, now: now, turn: make(chan struct{}, 1),
	}
	if o.Audience != "" {
		t.config.EndpointParams = url.Values{"audience": {o.Audience}}
	}
	return t
}

// get returns a token, fetching one where there is none. Of several callers
// one fetches, the others wait for it.
func (t *tokens) get(ctx context.Context) (string, error) {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return "", fmt.Errorf("wait for a token: %w", context.Cause(ctx))
	}
	defer func() { <-t.turn }()
	if t.token != nil && (t.renew.IsZero() || t.now().Before(t.renew)) {
		return t.token.AccessToken, nil
	}
	fetched, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return "", withoutSecrets(err)
	}
	t.token, t.renew = fetched, time.Time{}
	if lives := lifetime(fetched); lives > 0 {
		t.renew = t.now().Add(lives - min(early, lives/2))
	}
	return fetched.AccessToken, nil
}

// lifetime is what the server said; the end that the library makes of it hangs
// on the real clock. Some servers write the number as text.
func lifetime(token *oauth2.Token) time.Duration {
	seconds, err := strconv.ParseFloat(fmt.Sprint(token.Extra("expires_in")), 64)
	if err != nil || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, (365*24*time.Hour).Seconds()) * float64(time.Second))
}

// drop forgets the token of a refused request and says whether there will be
// another one: one that was fetched since is kept.
func (t *tokens) drop(authorization string) bool {
	refused, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok {
		return false
	}
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if t.token != nil && t.token.AccessToken == refused {
		t.token = nil
	}
	return true
}

// withoutSecrets leaves out what the token server wrote and what it was asked
// for: both may hold secrets.
func withoutSecrets(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return fmt.Errorf("%w, it answered %d", ErrToken, refused.Response.StatusCode)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("ask for a token: %w", failed.Err)
	}
	return fmt.Errorf("%w that can be read", ErrToken)
}
