package api

import (
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/vault"
)

// contact is how somebody is reached.
type contact struct {
	Email   string   `json:"email" maxLength:"320" example:"a@example.com"`
	Name    string   `json:"name,omitempty" maxLength:"200" example:"A"`
	Phone   string   `json:"phone,omitempty" maxLength:"64" example:"+44 20 7946 0000"`
	Address *address `json:"address,omitempty"`

	Language string `json:"language,omitempty" maxLength:"35" pattern:"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$" doc:"The language of mails and documents to the customer, BCP 47; en and de have texts. Missing: that of the country." example:"de-AT"`
}

func (c contact) kept() vault.Contact {
	return vault.Contact{Email: c.Email, Name: c.Name, Phone: c.Phone, Address: (*vault.Address)(c.Address), Language: c.Language}
}

// address is where post and parcels go. But for the country it is personal
// data.
type address struct {
	Name       string `json:"name,omitempty" maxLength:"200" doc:"Of who gets it; the customer's if missing." example:"A"`
	Company    string `json:"company,omitempty" maxLength:"200"`
	Line1      string `json:"line1,omitempty" maxLength:"200" doc:"Street and number, or a box." example:"1 High Street"`
	Line2      string `json:"line2,omitempty" maxLength:"200" doc:"Floor, flat and the like."`
	City       string `json:"city,omitempty" maxLength:"200" example:"Leeds"`
	Region     string `json:"region,omitempty" maxLength:"200" doc:"State, province or county, where an address has one."`
	PostalCode string `json:"postal_code,omitempty" maxLength:"32" example:"LS1 1UR"`
	Country    string `json:"country" maxLength:"64" doc:"ISO 3166, two capital letters." example:"GB"`
	Phone      string `json:"phone,omitempty" maxLength:"64" doc:"For whoever delivers; the customer's if missing."`
}

// whole reports whether it says more than the country.
func (a address) whole() bool { return a != address{Country: a.Country} }

// mistakes says why nothing would arrive there.
func (a address) mistakes(at string) []domain.Mistake {
	m := a.missing(at)
	if !domain.ValidCountry(a.Country) {
		m = append(m, domain.Mistake{Pointer: at + "/country", Code: "invalid-country", Detail: "a country is a code of ISO 3166, two capital letters"})
	}
	return m
}

// missing says what else an address needs.
func (a address) missing(at string) []domain.Mistake {
	var m []domain.Mistake
	if a.Line1 == "" {
		m = append(m, domain.Mistake{Pointer: at + "/line1", Code: "required", Detail: "an address needs a street or a box"})
	}
	if a.City == "" {
		m = append(m, domain.Mistake{Pointer: at + "/city", Code: "required", Detail: "an address needs a city"})
	}
	return m
}
