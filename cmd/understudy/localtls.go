package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityYears = 10
	// certificateDays is below what browsers take from an authority that a user trusts (398).
	certificateDays = 365
	authorityFile   = "local-authority.pem"
	authorityKey    = "local-authority-key.pem"
)

// local is a certificate for this machine's own names.
type local struct {
	certificate tls.Certificate
	// file has the certificate of the authority behind it, and fingerprint is its SHA-256.
	file, fingerprint string
}

// localCertificate makes a certificate for localhost, signed by an authority that is made
// once in a folder. Who trusts the authority risks little: it is good for no name beyond this
// machine, and its key is for its owner alone to read.
func localCertificate(folder string) (*local, error) {
	authority, key, err := readAuthority(folder)
	if errors.Is(err, fs.ErrNotExist) {
		authority, key, err = makeAuthority(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("the local authority in %s: %w; remove %s to have a new one made", folder, err,
			authorityFile)
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	leaf := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, certificateDays),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	text, err := x509.CreateCertificate(rand.Reader, leaf, authority, &leafKey.PublicKey, key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(authority.Raw)
	return &local{
		certificate: tls.Certificate{Certificate: [][]byte{text, authority.Raw}, PrivateKey: leafKey},
		file:        filepath.Join(folder, authorityFile), fingerprint: hex.EncodeToString(sum[:]),
	}, nil
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return big.NewInt(time.Now().UnixNano()) // the random source does not fail
	}
	return n
}

func readAuthority(folder string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, authorityFile), filepath.Join(folder, authorityKey))
	if err != nil {
		return nil, nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	switch {
	case !ok || !pair.Leaf.IsCA:
		return nil, nil, errors.New("it was not made by this program")
	case time.Now().AddDate(0, 0, certificateDays).After(pair.Leaf.NotAfter):
		return nil, nil, errors.New("it has expired, or soon will")
	}
	return pair.Leaf, key, nil
}

func makeAuthority(folder string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	host, _ := os.Hostname() // for people alone
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Understudy local authority " + host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(authorityYears, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"localhost"},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	text, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	keyText, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, nil, err
	}
	for _, file := range []struct {
		name, kind string
		text       []byte
		mode       fs.FileMode
	}{{authorityKey, "PRIVATE KEY", keyText, 0o600}, {authorityFile, "CERTIFICATE", text, 0o644}} {
		block := pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.text})
		if err := os.WriteFile(filepath.Join(folder, file.name), block, file.mode); err != nil {
			return nil, nil, err
		}
	}
	made, err := x509.ParseCertificate(text)
	return made, key, err
}
