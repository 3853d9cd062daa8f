package console

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// cookieName is the cookie of a session. It holds the key that the person came
// with, sealed: nothing is kept here, and a process that restarts forgets
// nobody.
const cookieName = "waybill_console"

// lasting is how long a session lasts at most; a link may end it earlier.
const lasting = 12 * time.Hour

type sessions struct {
	seal   cipher.AEAD
	random io.Reader
	now    func() time.Time
}

// sealed is what a cookie holds.
type sealed struct {
	Key   string `json:"key"`
	Until int64  `json:"until"` // seconds since 1970
}

func newSessions(key []byte, random io.Reader, now func() time.Time) (sessions, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return sessions{}, fmt.Errorf("seal sessions: %w", err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return sessions{}, fmt.Errorf("seal sessions: %w", err)
	}
	return sessions{seal: seal, random: random, now: now}, nil
}

// begin makes a session of an API key or of a link.
func (s sessions) begin(w http.ResponseWriter, r *http.Request, key string) error {
	text, err := json.Marshal(sealed{Key: key, Until: s.now().Add(lasting).Unix()})
	if err != nil {
		return fmt.Errorf("seal a session: %w", err)
	}
	nonce := make([]byte, s.seal.NonceSize())
	if _, err := io.ReadFull(s.random, nonce); err != nil {
		return fmt.Errorf("seal a session: %w", err)
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where the browser speaks TLS: up is on loopback, without
		Name: cookieName, Value: base64.RawURLEncoding.EncodeToString(s.seal.Seal(nonce, nonce, text, []byte(cookieName))),
		Path: Path, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure(r),
	})
	return nil
}

// secure reports whether the person's browser speaks TLS, with us or with the
// proxy before us.
func secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// key is what the session of a request came with.
func (s sessions) key(r *http.Request) (string, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(raw) < s.seal.NonceSize() {
		return "", false
	}
	size := s.seal.NonceSize()
	text, err := s.seal.Open(nil, raw[:size], raw[size:], []byte(cookieName))
	if err != nil {
		return "", false
	}
	var of sealed
	if err := json.Unmarshal(text, &of); err != nil || s.now().Unix() >= of.Until {
		return "", false
	}
	return of.Key, true
}

func (s sessions) end(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: Path, MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // it holds nothing
}

// enter is the page before all others. A link to the console has its key behind
// #, which no browser sends: the page's script does.
func (h *console) enter(w http.ResponseWriter, r *http.Request) {
	h.show(w, r, http.StatusOK, view{Page: "enter", Title: "Sign in", Outside: true, Data: enterView{Next: here(r.FormValue("next"))}})
}

type enterView struct{ Next, Refused string }

// outside sends somebody without a session to the page before all others.
func (h *console) outside(w http.ResponseWriter, r *http.Request) {
	next := ""
	if r.Method == http.MethodGet && r.URL.Path != Path+"endpoints" {
		next = "?" + query("next", r.URL.RequestURI())
	}
	http.Redirect(w, r, Path+"enter"+next, http.StatusSeeOther)
}

// here is an address of the console; anything else becomes its first page, so
// that nobody is sent elsewhere after signing in.
func here(next string) string {
	if !strings.HasPrefix(next, Path) || strings.Contains(next, `\`) {
		return Path + "endpoints"
	}
	return next
}

// begin lets somebody in whose key may at least read.
func (h *console) begin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	key, next := strings.TrimSpace(r.FormValue("key")), here(r.FormValue("next"))
	if _, err := h.clientOf(r, key).Endpoints(r.Context()); err != nil {
		refused, status := "The key could not be checked: try again in a moment.", http.StatusServiceUnavailable
		if problem, ok := asProblem(err); ok && (problem.Status == http.StatusUnauthorized || problem.Status == http.StatusForbidden) {
			refused, status = "This key is not valid any more, or may not see webhooks.", problem.Status
		}
		h.show(w, r, status, view{Page: "enter", Title: "Sign in", Outside: true, Data: enterView{Next: next, Refused: refused}})
		return
	}
	if err := h.sessions.begin(w, r, key); err != nil {
		h.refused(w, r, &client.Problem{Status: http.StatusInternalServerError, Title: "The session could not be begun"})
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // here has made it an address of the console
}

func (h *console) leave(w http.ResponseWriter, r *http.Request) {
	h.sessions.end(w)
	http.Redirect(w, r, Path+"enter", http.StatusSeeOther)
}
