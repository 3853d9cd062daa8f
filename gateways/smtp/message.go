package smtp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/mail"

	gomail "github.com/wneessen/go-mail"
)

// message writes the mail. The same mail is the same bytes.
func (m Mail) message() (*gomail.Msg, error) {
	// The parts are told apart by a line that is the mail's own.
	sum := sha256.Sum256([]byte(m.ID))
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(hex.EncodeToString(sum[:16])), gomail.WithEncoding(gomail.EncodingQP))
	for _, a := range []string{m.From.Email, m.To.Email} {
		if parsed, err := mail.ParseAddress(a); err != nil || parsed.Address != a {
			// The address is not named: it is personal data.
			return nil, fmt.Errorf("%w: an address is no e-mail address", ErrRefused)
		}
	}
	message.FromMailAddress(&mail.Address{Name: m.From.Name, Address: m.From.Email})
	message.ToMailAddress(&mail.Address{Name: m.To.Name, Address: m.To.Email})
	if m.ReplyTo != "" {
		if err := message.ReplyTo(m.ReplyTo); err != nil {
			return nil, fmt.Errorf("the address for answers: %w", err)
		}
	}
	message.Subject(m.Subject)
	message.SetMessageIDWithValue(m.ID)
	message.SetDateWithValue(m.Date.UTC())
	if m.Language != "" {
		message.SetGenHeader(gomail.HeaderContentLang, m.Language)
	}
	if m.Generated {
		message.SetGenHeader("Auto-Submitted", "auto-generated")
	}
	message.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		message.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return message, nil
}

// Bytes is the mail as it goes over the wire.
func (m Mail) Bytes() ([]byte, error) {
	message, err := m.message()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := message.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("write a mail: %w", err)
	}
	return out.Bytes(), nil
}
