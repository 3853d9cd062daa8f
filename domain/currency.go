package domain

import "strings"

// Exponent returns how many digits the minor unit of a currency has: 2 for
// EUR, 0 for JPY, 3 for KWD. It reports false for what is no currency of
// ISO 4217 that prices are written in.
func Exponent(currency string) (digits int, known bool) {
	if len(currency) != 3 {
		return 0, false
	}
	for _, c := range exponents {
		if i := strings.Index(c.codes, currency); i >= 0 && i%4 == 0 {
			return c.digits, true
		}
	}
	return 0, false
}

// Step is the smallest amount that is paid or given back in a currency, in minor
// units. Where they have three digits cards move no amount that does not end in
// 0, and nobody pays a part of an ariary.
func Step(currency string) int64 {
	if digits, _ := Exponent(currency); digits == 3 {
		return 10
	}
	if currency == "MGA" {
		return 100
	}
	return 1
}

// exponents is the table of ISO 4217, the currency asked for most first. Each
// code takes four bytes, so that a code is found only where one begins.
//

var exponents = []struct {
	digits int
	codes  string
}{
	{2, "EUR GBP USD AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD " +
		"CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB FJD FKP GEL GHS GIP GMD GTQ GYD " +
		"HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT " +
		"MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR " +
		"SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USN UYU UZS " +
		"VED VES WST XCD XCG YER ZAR ZMW ZWG "},
	{0, "JPY BIF CLP DJF GNF ISK KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "},
	{3, "KWD BHD IQD JOD LYD OMR TND "},
	{4, "CLF UYW "},
}
