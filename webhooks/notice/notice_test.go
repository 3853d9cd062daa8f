package notice_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks/notice"
)

func TestMails(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, time.March, 14, 12, 0, 0, 0, time.UTC)
	letter := notice.Letter{URL: "https://partner.example/hooks", Console: "https://shop.example/console/endpoints/e1", Since: noon, At: noon.Add(time.Hour)}
	for about, row := range map[string]struct{ en, de, until string }{
		"failing":          {"cannot be delivered", "können nicht zugestellt werden", "2026-03-19 12:00 UTC"},
		"recovered":        {"are delivered again", "werden wieder zugestellt", "2026-03-14 13:00 UTC"},
		"disabled-failing": {"were disabled", "wurden abgeschaltet", "2026-03-14 13:00 UTC"},
		"disabled-gone":    {"were disabled", "wurden abgeschaltet", "2026-03-14 13:00 UTC"},
	} {
		for language, words := range map[string]string{"en": row.en, "de": row.de, "fr": row.en} {
			c := notice.Config{Shop: "Mugs", From: "shop@shop.example", ReplyTo: "ask@shop.example", Language: language}
			l := letter
			if l.About = about; about == "failing" {
				l.Until = noon.AddDate(0, 0, 5)
			}
			m, err := c.Write(l)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(m.Subject, "Webhooks ") || !strings.Contains(m.Subject, "partner.example "+words) || strings.Contains(m.Subject, "\n") {
				t.Errorf("%s in %s: the subject is %q", about, language, m.Subject)
			}
			for _, part := range []string{l.URL, l.Console, row.until, "Mugs\n"} {
				if !strings.Contains(m.Text, part) {
					t.Errorf("%s in %s: no %q in\n%s", about, language, part, m.Text)
				}
			}
			if m.From.Name != "Mugs" || m.ReplyTo != "ask@shop.example" || !m.Generated {
				t.Errorf("%s in %s: it is %+v", about, language, m)
			}
		}
	}
	if _, err := (notice.Config{}).Write(notice.Letter{About: "nothing"}); err == nil {
		t.Error("there is a mail about nothing")
	}
}
