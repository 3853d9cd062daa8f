package vault

// Contact is how somebody is reached, in the form that is kept.
type Contact struct {
	Email   string   `json:"email"`
	Name    string   `json:"name,omitempty"`
	Phone   string   `json:"phone,omitempty"`
	Address *Address `json:"address,omitempty"`
	// Language is the one somebody wants to be written to in, a BCP 47 tag.
	Language string `json:"language,omitempty"`
}

// Address is where post and parcels go, in the form that is kept.
type Address struct {
	Name       string `json:"name,omitempty"`
	Company    string `json:"company,omitempty"`
	Line1      string `json:"line1,omitempty"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city,omitempty"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country,omitempty"` // ISO 3166
	Phone      string `json:"phone,omitempty"`
}
