package address

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/domain"
)

// What may be wrong with a URL.
const (
	CodeMalformed = "malformed-url"
	CodeScheme    = "url-scheme-not-allowed"
	CodeUserInfo  = "url-with-credentials"
	CodeFragment  = "url-with-fragment"
	CodeHost      = "url-host-malformed"
	CodePort      = "url-port-not-allowed"
	CodeAddress   = "url-address-not-allowed"
)

const (
	maxURL  = 2048
	maxHost = 253
)

// CheckURL reports everything that is wrong with a URL by its form and, where
// its host is an address literal, by that address. The pointers of the
// mistakes are left to the caller.
func (p Policy) CheckURL(raw string) []domain.Mistake {
	u, err := url.Parse(raw)
	switch {
	case raw == "" || len(raw) > maxURL:
		return []domain.Mistake{mistake(CodeMalformed, "a URL has 1 to %d characters", maxURL)}
	case err != nil || u.Opaque != "" || u.Host == "":
		return []domain.Mistake{mistake(CodeMalformed, "write an absolute URL such as https://example.com/webhooks")}
	case strings.ContainsFunc(raw, notPrintable):
		return []domain.Mistake{mistake(CodeMalformed, "a URL has no spaces, control characters or backslashes")}
	}
	var mistakes []domain.Mistake
	if u.Scheme != "https" && (u.Scheme != "http" || !p.AllowPrivate) {
		mistakes = append(mistakes, mistake(CodeScheme, "the scheme must be https"))
	}
	if u.User != nil {
		mistakes = append(mistakes, mistake(CodeUserInfo, "a URL must not carry a user name or password"))
	}
	if u.Fragment != "" || strings.Contains(raw, "#") {
		mistakes = append(mistakes, mistake(CodeFragment, "a URL must not carry a fragment"))
	}
	return append(append(mistakes, p.checkPort(u)...), p.checkHost(u.Hostname())...)
}

func notPrintable(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }

func (p Policy) checkPort(u *url.URL) []domain.Mistake {
	text := u.Port()
	if text == "" {
		if strings.HasSuffix(u.Host, ":") {
			return []domain.Mistake{mistake(CodePort, "the port is missing after the colon")}
		}
		return nil // what a scheme implies is judged with the scheme
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || p.CheckPort(uint16(port)) != nil {
		return []domain.Mistake{mistake(CodePort, "port %s is not allowed", text)}
	}
	return nil
}

func (p Policy) checkHost(host string) []domain.Mistake {
	if addr, err := netip.ParseAddr(host); err == nil {
		if p.CheckAddr(addr) != nil {
			return []domain.Mistake{mistake(CodeAddress, "the address is not a public one")}
		}
		return nil
	}
	if !validName(host) {
		return []domain.Mistake{mistake(CodeHost, "the host is not a name of 1 to %d characters, nor an address in its usual form", maxHost)}
	}
	return nil
}

// validName refuses names whose last label is a number: some resolvers take
// 127.1, 0x7f.1 or 2130706433 for addresses.
func validName(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > maxHost {
		return false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInName) {
			return false
		}
	}
	return !numeric(labels[len(labels)-1])
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

func numeric(label string) bool {
	_, err := strconv.ParseUint(label, 10, 64)
	if err == nil {
		return true
	}
	rest, hex := strings.CutPrefix(strings.ToLower(label), "0x")
	_, err = strconv.ParseUint("0"+rest, 16, 64)
	return (hex && err == nil) || strings.Trim(label, "0123456789") == ""
}

func mistake(code, format string, args ...any) domain.Mistake {
	return domain.Mistake{Code: code, Detail: fmt.Sprintf(format, args...)}
}
