package partnertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// CertificateConfig describes a certificate that signs itself.
type CertificateConfig struct {
	Name  string    // of its subject; default "partner"
	Hosts []string  // names and addresses it is for; default 127.0.0.1
	Until time.Time // default tomorrow
}

// Pair is a certificate and its key, as PEM and ready for use.
type Pair struct {
	Certificate, Key string
	Pair             tls.Certificate
}

// Certificate makes a certificate and its key.
func Certificate(tb testing.TB, cfg CertificateConfig) Pair {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, cfg.template(), cfg.template(), private.Public(), private)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	p := Pair{
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})),
	}
	if p.Pair, err = tls.X509KeyPair([]byte(p.Certificate), []byte(p.Key)); err != nil {
		tb.Fatal(err)
	}
	return p
}

func (c CertificateConfig) template() *x509.Certificate {
	if c.Name == "" {
		c.Name = "partner"
	}
	if c.Hosts == nil {
		c.Hosts = []string{"127.0.0.1"}
	}
	if c.Until.IsZero() {
		c.Until = time.Now().Add(24 * time.Hour)
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: c.Name},
		NotBefore: c.Until.Add(-48 * time.Hour), NotAfter: c.Until, IsCA: true, BasicConstraintsValid: true,
	}
	for _, host := range c.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, host)
		}
	}
	return t
}
