package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// An authority signs certificates that live as long as a run of the suite.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// writeCertificates makes the files that the client's tests expect beside
// their package: of an authority, of the node, and of another authority.
func writeCertificates(dir string) error {
	ca, err := writeAuthority(filepath.Join(dir, "ca"), "conformance")
	if err != nil {
		return err
	}
	if _, err := writeAuthority(filepath.Join(dir, "untrusted-ca"), "somebody else"); err != nil {
		return err
	}
	node := template("node")
	node.KeyUsage = x509.KeyUsageDigitalSignature
	node.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	node.DNSNames = []string{"localhost"}
	node.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	return write(filepath.Join(dir, "node"), node, ca)
}

func writeAuthority(dir, name string) (*authority, error) {
	t := template(name)
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &authority{certificate: t, key: key}
	return ca, ca.sign(dir, "ca", t, key)
}

func template(name string) *x509.Certificate {
	const life = 24 * time.Hour
	now := time.Now() //nolint:forbidigo // clients compare with the real time
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(life),
	}
}

func write(dir string, t *x509.Certificate, ca *authority) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	return ca.sign(dir, filepath.Base(dir), t, key)
}

// sign writes name.crt and name.key into dir.
func (a *authority) sign(dir, name string, t *x509.Certificate, key *ecdsa.PrivateKey) error {
	signed, err := x509.CreateCertificate(rand.Reader, t, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", signed); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, name+".key"), "PRIVATE KEY", private)
}

func writePEM(path, kind string, content []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600)
}
