package smtp_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/gateways/smtp"
	"github.com/waybill-dev/waybill/gateways/smtp/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mail() smtp.Mail {
	return smtp.Mail{
		ID: "17@shop.example", From: smtp.Address{Name: "Shöp & Co", Email: "orders@shop.example"}, To: smtp.Address{Name: "Jürgen \"J\" Weiß", Email: "j@example.com"}, ReplyTo: "help@shop.example",
		Subject: "Ihre Bestellung – danke", Text: "Grüße\n.\nvon uns\n", HTML: "<p>Grüße</p>", Date: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC), Language: "de", Generated: true,
	}
}

func config(s *smtptest.Server) smtp.Config {
	return smtp.Config{Host: s.Host(), Port: s.Port(), Roots: s.Roots, Timeout: 30 * time.Second, Hello: "shop.example"}
}

func TestAMailArrives(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		server func(*smtptest.Server)
		client func(*smtp.Config)
	}{
		"with STARTTLS":    {},
		"with TLS":         {func(s *smtptest.Server) { s.Implicit = true }, func(c *smtp.Config) { c.TLS = smtp.Implicit }},
		"without TLS":      {nil, func(c *smtp.Config) { c.TLS = smtp.None }},
		"with an account":  {func(s *smtptest.Server) { s.Username, s.Password = "u", "p" }, func(c *smtp.Config) { c.Username, c.Password = "u", "p" }},
		"with both at 465": {func(s *smtptest.Server) { s.Username, s.Password, s.Implicit = "u", "p", true }, func(c *smtp.Config) { c.Username, c.Password, c.TLS = "u", "p", smtp.Implicit }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := smtptest.New(t, row.server)
			cfg := config(s)
			if row.client != nil {
				row.client(&cfg)
			}
			if err := smtp.New(cfg).Send(t.Context(), mail()); err != nil {
				t.Fatal(err)
			}
			sent := s.Sent()
			if len(sent) != 1 || sent[0].From != "orders@shop.example" || len(sent[0].To) != 1 || sent[0].To[0] != "j@example.com" {
				t.Fatalf("sent %+v", sent)
			}
			for name, want := range map[string]string{
				"Message-ID": "<17@shop.example>", "Auto-Submitted": "auto-generated", "Date": "Sat, 14 Mar 2026 12:00:00 +0000", "Content-Language": "de", "Reply-To": "<help@shop.example>",
			} {
				if got := sent[0].Header(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			whole, err := mail().Bytes()
			if err != nil || strings.TrimSpace(string(whole)) != strings.TrimSpace(sent[0].Data) {
				t.Errorf("%v: the bytes are others:\n%s\n%s", err, whole, sent[0].Data)
			}
		})
	}
}

func TestARefusalIsForGoodOrNot(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		step    string
		status  int
		forGood bool
		away    bool // whichever mail it is
	}{
		{"RCPT", 550, true, false},
		{"RCPT", 450, false, false},
		{"DATA", 554, true, false},
		{"DATA", 452, false, true},
		{"MAIL", 451, false, true},
		{"MAIL", 550, false, true},
		{"AUTH", 535, false, true},
		{"AUTH", 454, false, true},
	} {
		s := smtptest.New(t, func(s *smtptest.Server) { s.Username, s.Password = "u", "p" })
		cfg := config(s)
		cfg.Username, cfg.Password = "u", "p"
		client := smtp.New(cfg)
		s.Refuse(row.step, row.status)
		err := client.Send(t.Context(), mail())
		if err == nil || errors.Is(err, smtp.ErrRefused) != row.forGood || errors.Is(err, smtp.ErrAway) != row.away || row.step != "AUTH" && strings.Contains(err.Error(), "example.com") {
			t.Errorf("%s %d: %v", row.step, row.status, err)
		}
		s.Refuse(row.step, 0)
		if err := client.Send(t.Context(), mail()); err != nil || len(s.Sent()) != 1 {
			t.Errorf("after %s %d: %v, %d sent", row.step, row.status, err, len(s.Sent()))
		}
	}
}

func TestWhatIsNotAMailIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "nobody", "a@example.com\r\nBcc: all@example.com", "A <a@example.com>"} {
		m := mail()
		m.To.Email = address
		if err := smtp.New(smtp.Config{Host: "127.0.0.1", Port: 1}).Send(t.Context(), m); !errors.Is(err, smtp.ErrRefused) {
			t.Errorf("%q: %v", address, err)
		}
	}
	m := mail()
	m.To.Name, m.Subject = "A\r\nBcc: all@example.com", "B\r\nBcc: all@example.com"
	whole, err := m.Bytes()
	if err != nil || strings.Contains(string(whole), "\nBcc:") {
		t.Errorf("%v:\n%s", err, whole)
	}
}

func TestAServerThatIsAwayOrHangsHoldsNobody(t *testing.T) {
	t.Parallel()
	hanging := smtptest.New(t, nil)
	hanging.Hang(true)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	_, port, _ := net.SplitHostPort(silent.Addr().String())
	untrusted, plain := smtptest.New(t, nil), smtptest.New(t, func(s *smtptest.Server) { s.Implicit = true })
	for name, cfg := range map[string]smtp.Config{
		"hangs":                     config(hanging),
		"never says anything":       {Host: "127.0.0.1", Port: atoi(port)},
		"is away":                   {Host: "127.0.0.1", Port: 1},
		"has an unknown paper":      {Host: untrusted.Host(), Port: untrusted.Port()},
		"speaks TLS where none was": func() smtp.Config { c := config(plain); c.TLS = smtp.None; return c }(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.Timeout = time.Second
			if err := smtp.New(cfg).Send(t.Context(), mail()); err == nil || errors.Is(err, smtp.ErrRefused) {
				t.Errorf("%v", err)
			}
		})
	}
}

func atoi(s string) (n int) {
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}
