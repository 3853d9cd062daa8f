package notice

import (
	"embed"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/waybill-dev/waybill/gateways/smtp"
)

//go:embed templates
var files embed.FS

// Letter is what a mail is written from.
type Letter struct {
	About   string // what is written about: the beginning of the templates' names
	URL     string // of the endpoint
	Console string // where it is looked after
	Since   time.Time
	Until   time.Time // when it will be disabled; zero is never
	At      time.Time
}

// Host is the receiver's, for the subject.
func (l Letter) Host() string {
	if u, err := url.Parse(l.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return l.URL
}

const (
	english = "en"
	german  = "de"
)

var parsed = sync.OnceValues(func() (map[string]*template.Template, error) {
	all := map[string]*template.Template{}
	for _, language := range []string{english, german} {
		t, err := template.New("").Funcs(template.FuncMap{"time": moment}).ParseFS(files, "templates/"+language+".tmpl")
		if err != nil {
			return nil, fmt.Errorf("read the templates: %w", err)
		}
		all[language] = t
	}
	return all, nil
})

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Write writes a mail but for its receiver, id and date.
func (c Config) Write(l Letter) (smtp.Mail, error) {
	all, err := parsed()
	if err != nil {
		return smtp.Mail{}, err
	}
	language := english
	if c.Language == german {
		language = german
	}
	say := func(name string) string {
		var out strings.Builder
		if failed := all[language].ExecuteTemplate(&out, name, l); failed != nil {
			err = fmt.Errorf("write %s in %s: %w", name, language, failed)
		}
		return strings.TrimSpace(out.String())
	}
	m := smtp.Mail{
		From: smtp.Address{Name: c.Shop, Email: c.From}, ReplyTo: c.ReplyTo, Language: language, Generated: true,
		Subject: say(l.About + ".subject"), Text: strings.Join([]string{say(l.About + ".body"), say("link"), c.Shop}, "\n\n") + "\n",
	}
	return m, err
}
