package retail

// countries maps the file's names to ISO 3166-1 alpha-2. The European
// Community has its exceptionally reserved code; the Channel Islands have none
// together and get XC from the range that ISO leaves to users.
var countries = map[string]string{
	"Australia": "AU", "Austria": "AT", "Bahrain": "BH", "Belgium": "BE",
	"Brazil": "BR", "Canada": "CA", "Channel Islands": "XC", "Cyprus": "CY",
	"Czech Republic": "CZ", "Denmark": "DK", "EIRE": "IE",
	"European Community": "EU", "Finland": "FI", "France": "FR",
	"Germany": "DE", "Greece": "GR", "Hong Kong": "HK", "Iceland": "IS",
	"Israel": "IL", "Italy": "IT", "Japan": "JP", "Lebanon": "LB",
	"Lithuania": "LT", "Malta": "MT", "Netherlands": "NL", "Norway": "NO",
	"Poland": "PL", "Portugal": "PT", "RSA": "ZA", "Saudi Arabia": "SA",
	"Singapore": "SG", "Spain": "ES", "Sweden": "SE", "Switzerland": "CH",
	"United Arab Emirates": "AE", "United Kingdom": "GB", "USA": "US",
}

// CountryCode is the code of a country by its name in the file; empty where it
// is not one country.
func CountryCode(name string) string { return countries[name] }
