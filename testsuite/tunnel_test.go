package testsuite

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACertificateForElsewhereSpeaksForATunnel(t *testing.T) {
	for name, x := range map[string]struct {
		names []string
		want  string
	}{
		"no TLS":                       {nil, ""},
		"a name elsewhere":             {[]string{"test.example.com"}, "the certificate is for test.example.com"},
		"a name elsewhere, and a host": {[]string{"test.example.com", "localhost"}, ""},
		"an address of loopback":       {[]string{"127.0.0.1"}, ""},
		"a name without a dot":         {[]string{"build7"}, ""},
		"a domain for networks":        {[]string{"api.home.arpa"}, ""},
		"a name that ends like one":    {[]string{"evil-local.example"}, "the certificate is for evil-local.example"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, x.want, tunnelled(http.Header{}, x.names))
		})
	}
}
