package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts"
	"github.com/seed47566266/understudy/contracts/helppage"
	"github.com/seed47566266/understudy/mockserver"
)

// verified runs verify on a few cases and returns its exit code and what it
// printed.
func verified(t *testing.T, env map[string]string, args ...string) (int, string) {
	t.Helper()
	var out, errs strings.Builder
	args = append([]string{"verify", "--run", "UserId/required/missing,UserId/type,optional", "--level", "must"},
		args...)
	code := run(t.Context(), args,
		streams{strings.NewReader(""), &out, &errs, func(name string) string { return env[name] }})
	return code, out.String() + errs.String()
}

// guarded is the mock with a check before it.
func guarded(t *testing.T, open func(*http.Request) bool) http.Handler {
	t.Helper()
	c, err := helppage.Parse(contracts.Page())
	require.NoError(t, err)
	mock, err := mockserver.New(c)
	require.NoError(t, err)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open(r) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mock.ServeHTTP(w, r)
	})
}

func anyone(*http.Request) bool { return true }

// credentialsOf makes a certificate that vouches for itself, in files.
func credentialsOf(t *testing.T) (certFile, keyFile string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	folder := t.TempDir()
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t,
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	pair, err = tls.LoadX509KeyPair(certFile, keyFile)
	require.NoError(t, err)
	return certFile, keyFile, pair
}

func TestATargetBehindTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, pair := credentialsOf(t)
	server := httptest.NewUnstartedServer(guarded(t, anyone))
	pool := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	pool.AddCert(leaf)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(
		t,
		os.WriteFile(authority,
			pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600),
	)

	code, text := verified(t, nil, server.URL, "--cacert", authority, "--cert", certFile, "--key", keyFile)
	require.Zero(t, code, text)
	code, text = verified(t, nil, server.URL, "--insecure", "--cert", certFile, "--key", keyFile, "--run", "transport")
	require.Zero(t, code, text)
	code, text = verified(t, nil, server.URL, "--cert", certFile, "--key", keyFile)
	require.Equal(t, 3, code, text)
	require.Contains(t, text, "certificate")
	code, text = verified(t, nil, server.URL, "--cacert", authority)
	require.Equal(t, 3, code, "it requires a certificate of the client: %s", text)
	code, text = verified(t, nil, server.URL, "--cert", certFile)
	require.Equal(t, 2, code, text)
	require.Contains(t, text, "--cert and --key go together")
	code, text = verified(t, nil, server.URL, "--cacert", keyFile)
	require.Equal(t, 2, code, text)
	require.Contains(t, text, "no certificate in PEM")
}

func TestWhoIsCalling(t *testing.T) {
	t.Parallel()
	bearer := func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer t0ken" }
	basic := func(r *http.Request) bool {
		user, password, ok := r.BasicAuth()
		return ok && user == "someone" && password == "p4:ss"
	}
	key := func(r *http.Request) bool { return r.Header.Get("X-Key") == "k3y" && r.Header.Get("X-Other") == "1" }
	env := map[string]string{"TOKEN": "t0ken", "PAIR": "someone:p4:ss", "BAD": "nobody"}
	for name, c := range map[string]struct {
		open func(*http.Request) bool
		args []string
		code int
	}{
		"a token of the environment": {bearer, []string{"--bearer-env", "TOKEN"}, 0},
		"a token of a command":       {bearer, []string{"--bearer-cmd", "echo t0ken"}, 0},
		"a command that fails":       {bearer, []string{"--bearer-cmd", "exit 3"}, 2},
		"a command without a token":  {bearer, []string{"--bearer-cmd", "true"}, 2},
		"a password":                 {basic, []string{"--basic-env", "PAIR"}, 0},
		"no password":                {basic, []string{"--basic-env", "BAD"}, 2},
		"headers":                    {key, []string{"--header", "X-Key: k3y", "--header", "X-Other:1"}, 0},
		"nothing":                    {bearer, nil, 6},
		"two at once":                {bearer, []string{"--bearer-env", "TOKEN", "--basic-env", "PAIR"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(guarded(t, c.open))
			defer server.Close()
			code, text := verified(t, env, append([]string{server.URL}, c.args...)...)
			require.Equal(t, c.code, code, text)
			require.NotContains(t, text, "t0ken")
			require.NotContains(t, text, "k3y")
		})
	}
}

func TestConnectingElsewhere(t *testing.T) {
	t.Parallel()
	var host string
	server := httptest.NewServer(guarded(t, func(r *http.Request) bool {
		host = r.Host
		return true
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	code, text := verified(t, nil, "http://booking.example", "--connect-to", "booking.example:80:"+address,
		"--max-writes", "5")
	require.Zero(t, code, text)
	require.Equal(t, "booking.example", host)
	code, text = verified(t, nil, "http://booking.example", "--connect-to", "::"+address)
	require.Equal(t, 6, code, "without writes nothing is confirmed: %s", text)
	require.Contains(t, text, "--max-writes 1")
	// An address on loopback that leads elsewhere is elsewhere.
	code, text = verified(t, nil, "http://127.0.0.1", "--connect-to", "::booking.example:9", "--plan")
	require.Zero(t, code, text)
	require.Contains(t, text, "of which at worst 1 are accepted")
	for _, bad := range []string{"x", "a:1:b", "a:1:b:2:c", "[::1:80:a:1"} {
		code, text = verified(t, nil, "http://booking.example", "--connect-to", bad)
		require.Equal(t, 2, code, text)
		require.Contains(t, text, "HOST:PORT:HOST:PORT")
	}
}

func TestAProxyOfTheEnvironmentIsUsed(t *testing.T) {
	t.Parallel()
	target := guarded(t, anyone)
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Host)
		if u, err := url.ParseRequestURI(r.RequestURI); err == nil {
			r.RequestURI = u.RequestURI()
		}
		target.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	// The environment of a process is read once, so another one is needed.
	out, code := understudyProcess(t, []string{"HTTP_PROXY=" + proxy.URL},
		"verify", "http://booking.example", "--run", "UserId/required/missing", "--max-writes", "1")
	require.Zero(t, code, out)
	require.NotEmpty(t, asked)
	require.Equal(t, "booking.example", asked[0])
}
